package exchange

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/kohakuvault/kvault"
)

// contents are what files begin with that are no text, or not the text that is read here. No text
// in UTF-8 that a table begins with does.
var contents = []struct {
	start, what, todo string
	f                 Format // that reads it, or empty
}{
	{"PAR1\x15", "a Parquet file", "", Parquet},
	{"ARROW1\x00\x00", "an Arrow file", "", Arrow},
	{"\xff\xff\xff\xff", "an Arrow stream", "", Arrows},
	{"\xff\xfe", "text in UTF-16", utf16, ""},
	{"\xfe\xff", "text in UTF-16", utf16, ""},
	{"PK\x03\x04", "a zip archive, as an Excel workbook (.xlsx) is", "save its table as CSV", ""},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", "save its table as CSV", ""},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first", ""},
	{"\xfd7zXZ\x00", "compressed with xz", "decompress it first", ""},
	{"SQLite format 3\x00", "a SQLite database", "export its table as CSV", ""},
}

const (
	gzipMagic = "\x1f\x8b"
	byteOrder = "\xef\xbb\xbf" // that spreadsheets and Windows put before UTF-8
)

var utf16 = "convert it to UTF-8, as with " + iconv("UTF-16")

// iconv is the command that makes UTF-8 of text in another encoding.
func iconv(from string) string { return "iconv -f " + from + " -t UTF-8" }

// recognize looks at how a file begins. It decompresses text, skips a byte order mark, and refuses
// what is of another format.
func recognize(r io.Reader, f Format) (io.Reader, error) {
	if f.binary() {
		return r, recognizeBinary(r, f)
	}
	b := bufio.NewReaderSize(r, bufferBytes)
	start, _ := b.Peek(64) // an error comes again when it is read
	if bytes.HasPrefix(start, []byte(gzipMagic)) {
		in := &gunzip{from: &remembering{r: b}}
		b = bufio.NewReaderSize(in, bufferBytes)
		if start, _ = b.Peek(64); bytes.HasPrefix(start, []byte(gzipMagic)) {
			return nil, invalid("", "the file is compressed with gzip twice: decompress it first")
		}
	}
	if bytes.HasPrefix(start, []byte(byteOrder)) {
		_, _ = b.Discard(len(byteOrder))
		return b, nil
	}
	if f == NDJSON && bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n"), []byte("[")) {
		return nil, invalid("", "the file is one array of JSON, and %s has one object a line: convert it, as with jq -c '.[]'", f)
	}
	if f != Lines && half(start) {
		return nil, invalid("", "the file is text in UTF-16, not %s: %s", f, utf16)
	}
	return b, mistaken(start, f)
}

func recognizeBinary(r io.Reader, f Format) error {
	at, ok := r.(io.ReaderAt)
	if !ok {
		return nil // the decoder says what it needs
	}
	start := make([]byte, 64)
	n, _ := at.ReadAt(start, 0)
	start = start[:n]
	if f == Arrow && bytes.HasPrefix(start, []byte(arrowStream)) {
		return nil // its decoder reads both
	}
	if bytes.HasPrefix(start, []byte(gzipMagic)) {
		return invalid("", "the file is compressed with gzip, which only text can be here: decompress it first")
	}
	return mistaken(start, f)
}

// mistaken refuses what begins like another format.
func mistaken(start []byte, f Format) error {
	for _, c := range contents {
		if !bytes.HasPrefix(start, []byte(c.start)) || c.f == f {
			continue
		}
		if c.f == "" {
			return invalid("", "the file is %s, not %s: %s", c.what, f, c.todo)
		}
		return invalid("", "the file is %s, not %s: read it in the format %s", c.what, f, c.f)
	}
	return nil
}

// half says whether every second byte is zero, as in UTF-16 of Latin letters.
func half(b []byte) bool {
	const most = 16
	if len(b) < 4 {
		return false
	}
	b = b[:min(len(b), most)&^1]
	zeros := [2]int{}
	for i, c := range b {
		if c == 0 {
			zeros[i%2]++
		}
	}
	return zeros[0] == 0 && zeros[1] == len(b)/2 || zeros[1] == 0 && zeros[0] == len(b)/2
}

// remembering keeps the error of a source, which tells it from damage of what the source gave.
type remembering struct {
	r   io.Reader
	err error
}

func (m *remembering) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}

// gunzip decompresses.
type gunzip struct {
	from *remembering
	z    *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		if g.z, err = gzip.NewReader(g.from); err != nil {
			return 0, g.explain(err)
		}
	}
	n, err = g.z.Read(p)
	return n, g.explain(err)
}

func (g *gunzip) explain(err error) error {
	corrupt := flate.CorruptInputError(0)
	switch {
	case g.from.err != nil && err != nil:
		return g.from.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("what gzip compressed is cut off: %w", kvault.ErrInvalid)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fmt.Errorf("what gzip compressed is damaged: %w", kvault.ErrInvalid)
	}
	return err
}
