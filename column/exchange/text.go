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
	labels  [][]byte // the names in JSON
}

const bufferBytes = 64 << 10

func newCSVEncoder(w io.Writer, sources []source, typed bool) (*textEncoder, error) {
	e := &textEncoder{w: bufio.NewWriterSize(w, bufferBytes), sources: sources, row: (*textEncoder).csvRow}
	for i, s := range sources {
		label := s.name()
		if typed {
			label += ":" + s.typ()
		}
		e.separate(',', i)
		e.buf = appendQuoted(e.buf, []byte(label))
	}
	e.buf = append(e.buf, '\n')
	_, err := e.w.Write(e.buf)
	return e, failed("export", "", err)
}

func newJSONEncoder(w io.Writer, sources []source) *textEncoder {
	e := &textEncoder{w: bufio.NewWriterSize(w, bufferBytes), sources: sources, row: (*textEncoder).jsonRow}
	for _, s := range sources {
		e.labels = append(e.labels, append(jsonString(nil, s.name()), ':'))
	}
	return e
}

func newLineEncoder(w io.Writer, sources []source) *textEncoder {
	return &textEncoder{w: bufio.NewWriterSize(w, bufferBytes), sources: sources, row: (*textEncoder).lineRow}
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
		e.separate(',', n)
		if !s.quoted() || s.null(i) {
			e.buf = s.appendText(e.buf, i)
			continue
		}
		e.buf = appendQuoted(e.buf, s.appendText(nil, i))
	}
	e.buf = append(e.buf, '\n')
}

// appendQuoted quotes always: a line of one empty field without quotes would be taken for an empty line.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, bytes.ReplaceAll(text, []byte{'"'}, []byte{'"', '"'})...)
	return append(dst, '"')
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
		e.separate('\t', n)
		e.buf = s.appendText(e.buf, i)
	}
	e.buf = append(e.buf, '\n')
}
