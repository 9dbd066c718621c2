package exchange

import (
	"bufio"
	"bytes"
	"io"
	"sync"
)

// textEncoder writes rows as text.
type textEncoder struct {
	textRows
	w      *bufio.Writer
	second textRows // another part of them
}

// textRows makes text of some rows.
type textRows struct {
	sources []source
	row     func(r *textRows, i int)
	buf     []byte
	scratch []byte
	labels  [][]byte // the names in JSON
	delim   byte
	nothing string // what null is written as
}

const bufferBytes = 64 << 10

func newCSVEncoder(w io.Writer, sources []source, f Format, o *ExportOptions) (*textEncoder, error) {
	delim, err := delimiter(f, o.Delimiter, o.Null)
	if err != nil {
		return nil, err
	}
	r := textRows{sources: sources, row: (*textRows).csvRow, delim: delim, nothing: o.Null}
	e := newTextEncoder(w, r)
	for i, s := range sources {
		label := s.name()
		// A name that would be taken for one with a type is one with its own.
		if o.TypedNames || labeled(label, &ImportOptions{}).name != label {
			label += ":" + s.typ()
		}
		e.separate(delim, i)
		e.buf = appendQuoted(e.buf, []byte(label))
	}
	e.buf = append(e.buf, '\n')
	_, err = e.w.Write(e.buf)
	return e, failed("export", "", err)
}

func newJSONEncoder(w io.Writer, sources []source) *textEncoder {
	r := textRows{sources: sources, row: (*textRows).jsonRow}
	for _, s := range sources {
		r.labels = append(r.labels, append(jsonString(nil, s.name()), ':'))
	}
	return newTextEncoder(w, r)
}

func newLineEncoder(w io.Writer, sources []source, o *ExportOptions) (*textEncoder, error) {
	delim, err := delimiter(TSV, o.Delimiter, o.Null)
	r := textRows{sources: sources, row: (*textRows).lineRow, delim: delim, nothing: o.Null}
	return newTextEncoder(w, r), err
}

func newTextEncoder(w io.Writer, r textRows) *textEncoder {
	return &textEncoder{textRows: r, w: bufio.NewWriterSize(w, bufferBytes), second: r}
}

// rowsOfAPart is how many rows a goroutine makes text of at a time.
const rowsOfAPart = 512

// write has two goroutines make text of rows, which takes longer than to read them.
func (e *textEncoder) write(n int) error {
	for from := 0; from < n; from += 2 * rowsOfAPart {
		middle, end := min(from+rowsOfAPart, n), min(from+2*rowsOfAPart, n)
		var beside sync.WaitGroup
		beside.Go(func() { e.second.format(middle, end) })
		e.format(from, middle)
		beside.Wait()
		for _, part := range [][]byte{e.buf, e.second.buf} {
			if _, err := e.w.Write(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// format makes the text of rows of the sources: from number from up to but not including number to.
func (r *textRows) format(from, to int) {
	r.buf = r.buf[:0]
	for i := from; i < to; i++ {
		r.row(r, i)
	}
}

func (e *textEncoder) close() error { return e.w.Flush() }

func (r *textRows) separate(by byte, column int) {
	if column > 0 {
		r.buf = append(r.buf, by)
	}
}

func (r *textRows) csvRow(i int) {
	for n, s := range r.sources {
		r.separate(r.delim, n)
		if s.null(i) {
			r.buf = append(r.buf, r.nothing...)
			continue
		}
		if s.quoted() {
			r.scratch = s.appendText(r.scratch[:0], i)
			r.buf = appendQuoted(r.buf, r.scratch)
			continue
		}
		before := len(r.buf)
		r.buf = s.appendText(r.buf, i)
		if text := r.buf[before:]; bytes.IndexByte(text, r.delim) >= 0 || string(text) == r.nothing {
			r.buf = appendQuoted(r.buf[:before], bytes.Clone(text))
		}
	}
	r.buf = append(r.buf, '\n')
}

// appendQuoted puts text in quotes, which keep all that it may hold, and tell it from null.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for {
		quote := bytes.IndexByte(text, '"')
		if quote < 0 {
			break
		}
		dst = append(append(dst, text[:quote+1]...), '"')
		text = text[quote+1:]
	}
	return append(append(dst, text...), '"')
}

func (r *textRows) jsonRow(i int) {
	r.buf = append(r.buf, '{')
	for n, s := range r.sources {
		r.separate(',', n)
		r.buf = append(r.buf, r.labels[n]...)
		r.buf = s.appendJSON(r.buf, i)
	}
	r.buf = append(r.buf, '}', '\n')
}

func (r *textRows) lineRow(i int) {
	for n, s := range r.sources {
		r.separate(r.delim, n)
		if s.null(i) {
			r.buf = append(r.buf, r.nothing...)
			continue
		}
		r.buf = s.appendText(r.buf, i)
	}
	r.buf = append(r.buf, '\n')
}
