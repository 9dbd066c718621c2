package exchange

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unsafe"

	"github.com/kohakuvault/kvault"
)

// lineDecoder reads elements that are separated by tabs, or one a line for a single column, which
// may hold tabs then.
type lineDecoder struct {
	r     *bufio.Reader
	heads []heading
	delim string
	null  string
}

func newLineDecoder(r io.Reader, o *ImportOptions) (decoder, error) {
	if len(o.Columns) == 0 {
		return nil, invalid("", "lines do not say which columns they are for: name them")
	}
	delim, err := delimiter(TSV, o.Delimiter, o.Null)
	if err != nil {
		return nil, err
	}
	d := &lineDecoder{r: bufio.NewReaderSize(r, bufferBytes), delim: string(delim), null: o.Null}
	for _, name := range o.Columns {
		d.heads = append(d.heads, heading{name: name})
	}
	return d, nil
}

func (d *lineDecoder) headings() []heading { return d.heads }
func (d *lineDecoder) close()              {}

func (d *lineDecoder) next(sinks []sink) (int, error) {
	return batch(func() (int, error) {
		line, err := d.line()
		if err == io.EOF && line == "" {
			return 0, io.EOF
		}
		if err != nil && err != io.EOF {
			return 0, unread(err)
		}
		line = strings.TrimSuffix(line, "\n")
		if len(sinks) == 1 {
			return len(line), sinks[0].addText(line, line == d.null)
		}
		if n := strings.Count(line, d.delim) + 1; n != len(sinks) {
			return 0, fmt.Errorf("%s, separated by %s, for %d columns: %w", fieldCount(n), nameOf(d.delim), len(sinks), kvault.ErrInvalid)
		}
		rest := line
		for _, s := range sinks {
			text, behind, _ := strings.Cut(rest, d.delim)
			if err := s.addText(text, text == d.null); err != nil {
				return 0, err
			}
			rest = behind
		}
		return len(line), nil
	})
}

// line is the next line, with its end.
func (d *lineDecoder) line() (string, error) {
	part, err := d.r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return string(part), err
	}
	line := slices.Clone(part)
	for err == bufio.ErrBufferFull {
		if int64(len(line)) > longestRow {
			return "", rowTooLong()
		}
		part, err = d.r.ReadSlice('\n')
		line = append(line, part...)
	}
	return unsafe.String(unsafe.SliceData(line), len(line)), err
}

func nameOf(delim string) string {
	if delim == "\t" {
		return "tabs"
	}
	return fmt.Sprintf("%q", delim)
}
