package exchange

import (
	"bufio"
	"bytes"
	"io"
)

// textEncoder writes rows as text.
type textEncoder struct {
	w       *bufio.Writer
	sources []source
	row     func(e *textEncoder, i int)
	buf     []byte
	scratch []byte
	labels  [][]byte // the names in JSON
	delim   byte
	nothing string // what null is written as
}

const bufferBytes = 64 << 10

func newCSVEncoder(w io.Writer, sources []source, f Format, o *ExportOptions) (*textEncoder, error) {
	delim, err := delimiter(f, o.Delimiter)
	if err != nil {
		return nil, err
	}
	e := &textEncoder{w: bufio.NewWriterSize(w, bufferBytes), sources: sources, row: (*textEncoder).csvRow, delim: delim, nothing: o.Null}
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
	e := &textEncoder{w: bufio.NewWriterSize(w, bufferBytes), sources: sources, row: (*textEncoder).jsonRow}
	for _, s := range sources {
		e.labels = append(e.labels, append(jsonString(nil, s.name()), ':'))
	}
	return e
}

func newLineEncoder(w io.Writer, sources []source, o *ExportOptions) (*textEncoder, error) {
	delim, err := delimiter(TSV, o.Delimiter)
	return &textEncoder{w: bufio.NewWriterSize(w, bufferBytes), sources: sources, row: (*textEncoder).lineRow, delim: delim, nothing: o.Null}, err
}

func (e *textEncoder) write(n int) error {
	for i := range n {
		e.buf = e.buf[:0]
		e.row(e, i)
		if _, err := e.w.Write(e.buf); err != nil {
			return err
		}
	}
	return nil
}

func (e *textEncoder) close() error { return e.w.Flush() }

func (e *textEncoder) separate(by byte, column int) {
	if column > 0 {
		e.buf = append(e.buf, by)
	}
}

func (e *textEncoder) csvRow(i int) {
	for n, s := range e.sources {
		e.separate(e.delim, n)
		if s.null(i) {
			e.buf = append(e.buf, e.nothing...)
			continue
		}
		if s.quoted() {
			e.scratch = s.appendText(e.scratch[:0], i)
			e.buf = appendQuoted(e.buf, e.scratch)
			continue
		}
		before := len(e.buf)
		e.buf = s.appendText(e.buf, i)
		if text := e.buf[before:]; bytes.IndexByte(text, e.delim) >= 0 || string(text) == e.nothing {
			e.buf = appendQuoted(e.buf[:before], bytes.Clone(text))
		}
	}
	e.buf = append(e.buf, '\n')
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

func (e *textEncoder) jsonRow(i int) {
	e.buf = append(e.buf, '{')
	for n, s := range e.sources {
		e.separate(',', n)
		e.buf = append(e.buf, e.labels[n]...)
		e.buf = s.appendJSON(e.buf, i)
	}
	e.buf = append(e.buf, '}', '\n')
}

func (e *textEncoder) lineRow(i int) {
	for n, s := range e.sources {
		e.separate(e.delim, n)
		if s.null(i) {
			e.buf = append(e.buf, e.nothing...)
			continue
		}
		e.buf = s.appendText(e.buf, i)
	}
	e.buf = append(e.buf, '\n')
}
