package exchange

import (
	"path/filepath"
	"strings"
)

// Formats lists them all.
var Formats = []Format{CSV, TSV, NDJSON, Lines, Arrow, Arrows, Parquet}

// extensions of file names, in the order in which a message lists them.
var extensions = []struct {
	ext string
	f   Format
}{
	{".csv", CSV}, {".tsv", TSV}, {".ndjson", NDJSON}, {".jsonl", NDJSON}, {".txt", Lines}, {".parquet", Parquet},
	{".arrow", Arrow}, {".feather", Arrow}, {".ipc", Arrow}, {".arrows", Arrows},
}

// FormatOf is the format that the name of a file shows: .csv, .tsv, .ndjson, .jsonl and .txt, also
// with .gz behind them, .parquet, .arrow, .feather, .ipc and .arrows.
func FormatOf(path string) (Format, bool) {
	name, gzip := cutGzip(strings.ToLower(path))
	ext := filepath.Ext(name)
	for _, e := range extensions {
		if e.ext == ext && !(gzip && e.f.binary()) {
			return e.f, true
		}
	}
	return "", false
}

// GzipName says whether the name of a file ends in .gz.
func GzipName(path string) bool {
	_, gzip := cutGzip(strings.ToLower(path))
	return gzip
}

func cutGzip(path string) (string, bool) { return strings.CutSuffix(path, ".gz") }

// Extensions are those that FormatOf knows, but for the .gz behind them.
func Extensions() []string {
	var list []string
	for _, e := range extensions {
		list = append(list, e.ext)
	}
	return list
}

func (f Format) binary() bool { return f == Arrow || f == Arrows || f == Parquet }
