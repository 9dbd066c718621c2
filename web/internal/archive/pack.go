package archive

import (
	"archive/tar"
	"archive/zip"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
)

type zipPacker struct{ w *zip.Writer }

func newZip(w io.Writer) packer { return zipPacker{zip.NewWriter(w)} }

func (p zipPacker) begin(name string, e kvault.Entry) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Store}
	h.SetMode(modeOf(name))
	if year := e.ModTime.UTC().Year(); 1980 <= year && year < 2100 { // as far as a zip has dates
		h.Modified = e.ModTime
	}
	return p.w.CreateHeader(h)
}

func (p zipPacker) end() error { return p.w.Close() }

type tarPacker struct{ w *tar.Writer }

func newTar(w io.Writer) packer { return tarPacker{tar.NewWriter(w)} }

func (p tarPacker) begin(name string, e kvault.Entry) (io.Writer, error) {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: e.Size, Mode: int64(modeOf(name).Perm()),
		ModTime: e.ModTime.Truncate(time.Second), // fractions would take 1 KiB each
	}
	if strings.HasSuffix(name, "/") {
		h.Typeflag = tar.TypeDir
	}
	return p.w, p.w.WriteHeader(h)
}

func (p tarPacker) end() error { return p.w.Close() }

func modeOf(name string) fs.FileMode {
	if strings.HasSuffix(name, "/") {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
