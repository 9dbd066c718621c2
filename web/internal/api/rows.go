package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// format is one that rows are written in.
type format struct {
	exchange    exchange.Format
	contentType string
	// tail is what ends a stream of rows, and the stream of each page, in bytes.
	tail int
}

var formats = map[string]format{
	"json":   {exchange.NDJSON, "application/json; charset=utf-8", 0},
	"ndjson": {exchange.NDJSON, "application/x-ndjson; charset=utf-8", 0},
	"csv":    {exchange.CSV, "text/csv; charset=utf-8; header=present", 0},
	// The stream ends in 0xFFFFFFFF and a length of 0.
	"arrow": {exchange.Arrows, "application/vnd.apache.arrow.stream", 8},
}

// rows answers with rows of columns.
func (h *handler) rows(a *reply, r *http.Request, name string, p *parameters) error {
	kind := p.choice("format", "json", "ndjson", "csv", "arrow")
	offset := p.number("offset", 0, math.MinInt64, math.MaxInt64)
	limit, most := int64(math.MaxInt64), int64(math.MaxInt64)
	if kind == "json" {
		limit, most = defaultPage, largestPage
	}
	limit = p.number("limit", limit, 1, most)
	if p.err != nil {
		return p.err
	}
	ctx := r.Context()
	s, err := h.selected(ctx, name, p.values["column"])
	if err != nil {
		return err
	}
	sh, err := shapeOf(ctx, h.v, s)
	if err != nil {
		return err
	}
	e := &export{
		ctx: ctx, v: h.v, selection: s, format: formats[kind], pageBytes: h.limits.PageBytes,
	}
	a.contentType = e.format.contentType
	if a.headOnly(r) {
		return nil
	}
	if offset < 0 {
		offset += sh.length
	}
	from := min(max(offset, 0), sh.length)
	to := from + min(limit, sh.length-from)
	if kind == "json" {
		return e.object(a, sh, from, to)
	}
	return e.stream(a, from, to)
}

// export writes rows in pages, each of which it reads in a transaction of its own and then writes,
// so a slow client keeps none open.
type export struct {
	ctx context.Context
	v   *kvault.Vault
	selection
	format
	pageBytes int
	buf       bytes.Buffer
}

// object writes the rows as a list in a JSON object.
func (e *export) object(a *reply, sh shape, from, to int64) error {
	columns, err := json.Marshal(sh.columns)
	if err != nil {
		return err
	}
	fmt.Fprintf(a, `{"columns":%s,"length":%d,"offset":%d,"rows":[`, columns, sh.length, from)
	first := true
	err = e.pages(from, to, nil, func(page []byte) error {
		if !first {
			a.WriteByte(',')
		}
		first = false
		// Each line is an object, and strings in it have no line ends.
		objects := bytes.TrimSuffix(page, []byte("\n"))
		_, err := a.Write(bytes.ReplaceAll(objects, []byte("\n"), []byte(",\n")))
		return err
	})
	if err != nil {
		return err
	}
	a.WriteByte(']')
	if to < sh.length {
		fmt.Fprintf(a, `,"next":%d`, to)
	}
	_, err = a.WriteString("}\n")
	return err
}

// stream writes the rows with what stands before and behind them.
func (e *export) stream(a *reply, from, to int64) error {
	if _, err := e.read(math.MaxInt64, math.MaxInt64, 0); err != nil {
		return err
	}
	empty := bytes.Clone(e.buf.Bytes())
	if len(empty) < e.tail {
		return fmt.Errorf("an empty stream has %d bytes", len(empty))
	}
	head, tail := empty[:len(empty)-e.tail], empty[len(empty)-e.tail:]
	if _, err := a.Write(head); err != nil {
		return err
	}
	err := e.pages(from, to, head, func(page []byte) error {
		page = page[len(head):]
		_, err := a.Write(page[:len(page)-e.tail])
		return err
	})
	if err != nil {
		return err
	}
	_, err = a.Write(tail)
	return err
}

// errChanged breaks off an answer whose first part has been sent.
var errChanged = &wire.Error{
	Status: http.StatusConflict, Text: "the columns were changed while they were read; try again",
}

// maxFactor is how many times as long as wanted a page of several rows may be.
const maxFactor = 16

// pages calls write with the rows from from up to but not including to. Each page begins with
// head. A page is about as long as wanted: from the length of one follows how many rows the next
// one has.
func (e *export) pages(from, to int64, head []byte, write func(page []byte) error) error {
	for n := int64(64); from < to; {
		n = min(n, to-from)
		rows, err := e.read(from, from+n, maxFactor*e.pageBytes)
		if errors.Is(err, errLong) {
			n = max(1, n/maxFactor)
			continue
		}
		if err != nil {
			return columnError(err)
		}
		page := e.buf.Bytes()
		if rows != n || !bytes.HasPrefix(page, head) {
			return errChanged
		}
		if err := write(page); err != nil {
			return err
		}
		from += n
		wanted := int64(e.pageBytes) * n / int64(max(1, len(page)-len(head)))
		n = min(max(wanted, 1), 8*n)
	}
	return nil
}

// read fills the buffer with the rows. Of several rows it takes at most that many bytes, unless
// most is 0.
func (e *export) read(from, to int64, most int) (int64, error) {
	e.buf.Reset()
	if to-from == 1 {
		most = 0
	}
	o := &exchange.ExportOptions{Prefix: e.prefix, From: from, To: to}
	return exchange.Export(
		e.ctx, e.v, boundedBuffer{&e.buf, most}, e.format.exchange, e.names, o)
}

var errLong = errors.New("the page is too long")

// boundedBuffer fails when it would become longer than most, unless that is 0.
type boundedBuffer struct {
	buf  *bytes.Buffer
	most int
}

func (b boundedBuffer) Write(p []byte) (int, error) {
	if b.most > 0 && b.buf.Len()+len(p) > b.most {
		return 0, errLong
	}
	return b.buf.Write(p)
}
