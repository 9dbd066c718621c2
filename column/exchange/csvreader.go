package exchange

import (
	"bytes"
	"fmt"
	"io"
	"unsafe"

	"github.com/kohakuvault/kvault"
)

// csvReader splits CSV into records and fields: RFC 4180, and where files differ from it what most
// readers do, as docs/decisions/0052-csv-reader.md says.
type csvReader struct {
	r       io.Reader
	delim   byte
	special [256]bool // what ends a field that is not quoted
	buf     []byte
	at, end int // buf[at:end] was read and not split yet
	err     error
	lineEnd byte // '\n' or '\r', by the first line, or 0 before
	line    int64

	// The record. Its fields are good until the next call of next.
	first     int64 // the line that it begins on
	fields    []field
	keepEmpty bool // an empty line is a record
}

// field is buf[start:end].
type field struct {
	start, end      int
	quoted, escaped bool
}

const csvBufferBytes = 256 << 10

func newCSVReader(r io.Reader, delim byte) *csvReader {
	c := &csvReader{r: r, delim: delim, line: 1, buf: make([]byte, csvBufferBytes)}
	c.special[delim], c.special['\n'], c.special['\r'] = true, true, true
	return c
}

// text returns a field without its quotes. It is good until the next call of next.
func (c *csvReader) text(f field) string {
	return unsafe.String(unsafe.SliceData(c.buf[f.start:f.end]), f.end-f.start)
}

// next reads a record, or returns io.EOF behind the last.
func (c *csvReader) next() error {
	for {
		if c.at == c.end && c.err != nil {
			return c.err
		}
		whole, err := c.scan()
		if err != nil {
			return err
		}
		if !whole {
			if c.err != nil && c.err != io.EOF {
				return c.err
			}
			if int64(c.end-c.at) > longestRow {
				return fmt.Errorf("line %d: %w", c.first, rowTooLong())
			}
			c.fill()
			continue
		}
		if only := c.fields[0]; len(c.fields) > 1 || only.end > only.start || only.quoted || c.keepEmpty {
			return nil
		}
	}
}

// fill reads more behind buf[at:end], at least as much as lies there, so that a long record is not
// split too often.
func (c *csvReader) fill() {
	has := c.end - c.at
	if has > len(c.buf)/2 {
		c.buf = append(make([]byte, 0, 2*len(c.buf)), c.buf[c.at:c.end]...)[:2*len(c.buf)]
	} else {
		copy(c.buf, c.buf[c.at:c.end])
	}
	c.at, c.end = 0, has
	for idle := 0; c.err == nil && c.end < max(2*has, 1); idle++ {
		n, err := c.r.Read(c.buf[c.end:])
		if n > 0 {
			idle = 0
		} else if err == nil && idle > 100 {
			err = io.ErrNoProgress
		}
		c.end, c.err = c.end+n, err
	}
}

// scan splits the record that begins at buf[at], and reports false if not all of it is there.
func (c *csvReader) scan() (whole bool, err error) {
	c.fields, c.first = c.fields[:0], c.line
	b, i, lines := c.buf[:c.end], c.at, int64(0)
	for {
		f, stop, err := c.field(b, i)
		if stop < 0 || err != nil {
			return false, err
		}
		if len(c.fields) == mostColumns {
			return false, fmt.Errorf("line %d: %w", c.first, tooWide())
		}
		c.fields = append(c.fields, f)
		if f.quoted {
			lines += int64(bytes.Count(b[f.start:f.end], []byte{'\n'}))
		}
		if stop < len(b) && b[stop] == c.delim {
			i = stop + 1
			continue
		}
		behind, err := c.lineEndAt(b, stop)
		if behind < 0 || err != nil {
			return false, err
		}
		c.at, c.line = behind, c.line+lines+1
		c.unescape()
		return true, nil
	}
}

// field splits the field that begins at b[i] and returns where it stops: at the delimiter, a line
// end or the end of b. It returns -1 if more is needed to tell.
func (c *csvReader) field(b []byte, i int) (f field, stop int, err error) {
	f.start = i
	if i < len(b) && b[i] == ' ' {
		i += spaces(b[i:], c.delim)
		if i == len(b) && c.err != io.EOF {
			return f, -1, nil
		}
	}
	if i < len(b) && b[i] == '"' {
		return c.quotedField(b, i+1)
	}
	for i < len(b) && !c.special[b[i]] {
		i++
	}
	if i == len(b) && c.err != io.EOF {
		return f, -1, nil
	}
	f.end = i
	return f, i, nil
}

// spaces is the number of spaces that b begins with, unless they delimit.
func spaces(b []byte, delim byte) (n int) {
	for n < len(b) && b[n] == ' ' && delim != ' ' {
		n++
	}
	return n
}

func (c *csvReader) quotedField(b []byte, start int) (f field, stop int, err error) {
	f = field{start: start, quoted: true}
	for i := start; ; {
		quote := bytes.IndexByte(b[i:], '"')
		if quote < 0 {
			if c.err == io.EOF {
				return f, -1, c.bad("a quote is opened that is not closed: a quote within a quoted field is written twice")
			}
			return f, -1, nil
		}
		i += quote + 1
		if i < len(b) && b[i] == '"' {
			f.escaped = true
			i++
			continue
		}
		f.end = i - 1
		i += spaces(b[i:], c.delim)
		switch {
		case i == len(b) && c.err != io.EOF:
			return f, -1, nil
		case i < len(b) && !c.special[b[i]]:
			return f, -1, c.bad("%q follows a closing quote: a quote within a quoted field is written twice", b[i:min(i+10, len(b))])
		}
		return f, i, nil
	}
}

// lineEndAt returns what lies behind the line end at b[i], or -1 if more is needed to tell.
func (c *csvReader) lineEndAt(b []byte, i int) (behind int, err error) {
	switch {
	case i == len(b):
		return i, nil
	case b[i] == '\n':
		c.ends('\n')
		return i + 1, nil
	case i+1 == len(b) && c.err != io.EOF:
		return -1, nil
	case i+1 < len(b) && b[i+1] == '\n':
		c.ends('\n')
		return i + 2, nil
	case i+1 < len(b) && !c.ends('\r'):
		return -1, c.bad("a carriage return alone within a field: put the field in quotes")
	}
	return i + 1, nil
}

// ends says whether lines may end so: a carriage return ends them only if it ends the first.
func (c *csvReader) ends(by byte) bool {
	if c.lineEnd == 0 {
		c.lineEnd = by
	}
	return c.lineEnd == by
}

func (c *csvReader) unescape() {
	for n := range c.fields {
		f := &c.fields[n]
		if !f.escaped {
			continue
		}
		to := f.start
		for i := f.start; i < f.end; i++ {
			if c.buf[to] = c.buf[i]; c.buf[i] == '"' {
				i++
			}
			to++
		}
		f.end = to
	}
}

func (c *csvReader) bad(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format+": %w", append(append([]any{c.first}, args...), kvault.ErrInvalid)...)
}
