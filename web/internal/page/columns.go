package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	columnMount = "/columns/"
	// valuesPage is how many values of a column one page shows, and maxValues how many bytes of text
	// they may be.
	valuesPage = 100
	maxValues  = 1 << 20
	// maxCell is how much of one value the page shows, in bytes.
	maxCell = 300
)

// columnTable is the columns whose names begin alike.
type columnTable struct {
	Name    string // ends in a slash, or is empty
	Columns []columnLine
}

// columnLine is a column in the list of all.
type columnLine struct {
	column.Info
	Short string // the name without that of the table
	URL   string
}

// columns lists the columns that the request may read, by tables, in the order they were made.
func (h *Handler) columns(w http.ResponseWriter, r *http.Request) {
	list, err := column.List(r.Context(), h.v)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var tables []*columnTable
	byName := map[string]*columnTable{}
	for _, info := range list {
		if !access.Of(r.Context()).Read(info.Name) {
			continue
		}
		name := info.Name[:strings.Index(info.Name, "/")+1]
		if byName[name] == nil {
			byName[name] = &columnTable{Name: name}
			tables = append(tables, byName[name])
		}
		line := columnLine{info, strings.TrimPrefix(info.Name, name), link(columnMount, info.Name)}
		byName[name].Columns = append(byName[name].Columns, line)
	}
	f := frame{Title: "Columns", Section: "columns", Data: tables,
		Crumbs: []crumb{{h.o.Name, "/"}, {"Columns", ""}}}
	h.render(w, r, http.StatusOK, "columns", f)
}

// columnData is what the page of a column shows.
type columnData struct {
	Name, Type string
	Length     int64
	// API is where the script asks for figures, and Plotted says that there is a line to be drawn.
	API     string
	Plotted bool
	Values  []cell
	// From and To are the numbers of the first value, and of the one behind the last.
	From, To                   int64
	First, Previous, Following string
}

// cell is a value: Kind is that of its JSON, or empty where it is cut off.
type cell struct {
	Number int64
	Kind   string
	Text   string
}

// FormURL is where the form that goes to a value leads.
func (d *columnData) FormURL() string { return link(columnMount, d.Name) }

// KeyInQuery reports whether the address has the name in its query, which a GET form would drop.
func (d *columnData) KeyInQuery() bool { return strings.Contains(d.FormURL(), "?") }

// CSV leads to all values.
func (d *columnData) CSV() string { return link("/api/v1/columns/", d.Name, "format", "csv") }

// column shows a column.
func (h *Handler) column(w http.ResponseWriter, r *http.Request) {
	name, err := wire.KeyOf(r.URL, columnMount)
	var d *columnData
	switch {
	case err != nil:
	case !access.Of(r.Context()).Read(name):
		err = wire.Forbidden()
	default:
		d, err = h.columnPage(r.Context(), name, r.URL.Query().Get("at"))
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	f := frame{Title: show(name), Section: "columns", Data: d,
		Crumbs: []crumb{{h.o.Name, "/"}, {"Columns", "/columns"}, {show(name), ""}}}
	h.render(w, r, http.StatusOK, "column", f)
}

func (h *Handler) columnPage(ctx context.Context, name, at string) (*columnData, error) {
	c, err := column.OpenAny(ctx, h.v, name)
	if err != nil {
		return nil, columnError(err)
	}
	d := &columnData{Name: name, Type: c.Type(), API: link("/api/v1/columns/", name)}
	if d.Length, err = c.Len(ctx); err != nil {
		return nil, columnError(err)
	}
	switch strings.TrimSuffix(d.Type, ":null") {
	case "i64", "f64":
		d.Plotted = true
	}
	if at != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(at), 10, 64)
		if err != nil || n < 0 {
			return nil, &wire.Error{Status: http.StatusBadRequest,
				Text: "the number of a value is 0 or more"}
		}
		d.From = min(n, max(d.Length-1, 0))
	}
	if d.Values, err = h.values(ctx, name, d.From, min(d.From+valuesPage, d.Length)); err != nil {
		return nil, columnError(err)
	}
	d.To = d.From + int64(len(d.Values))
	page := func(at int64) string {
		return link(columnMount, name, "at", strconv.FormatInt(at, 10)) + "#values"
	}
	if d.From > 0 {
		d.First, d.Previous = page(0), page(max(0, d.From-valuesPage))
	}
	if d.To < d.Length && d.To > d.From {
		d.Following = page(d.To)
	}
	return d, nil
}

// columnError says of what the error of a call of package column is.
func columnError(err error) error {
	switch {
	case errors.Is(err, kvault.ErrNotFound):
		return &wire.Error{Status: http.StatusNotFound, Text: "there is no such column", Cause: err}
	case errors.Is(err, kvault.ErrUnsupported):
		return &wire.Error{Status: http.StatusNotImplemented,
			Text: "this column can be listed only", Cause: err}
	}
	return err
}

// errLong ends an export that is longer than a page.
var errLong = errors.New("the values are too long for a page")

// shortBuffer takes no more than a page.
type shortBuffer struct{ bytes.Buffer }

func (b *shortBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxValues {
		return 0, errLong
	}
	return b.Buffer.Write(p)
}

// values reads values of a column: fewer where they are long, but one at least.
func (h *Handler) values(ctx context.Context, name string, from, to int64) ([]cell, error) {
	var cells []cell
	for from < to {
		var b shortBuffer
		_, err := exchange.Export(ctx, h.v, &b, exchange.NDJSON, []string{name},
			&exchange.ExportOptions{From: from, To: to})
		switch {
		case errors.Is(err, errLong) && to > from+1:
			to = from + (to-from)/2
			continue
		case errors.Is(err, errLong):
			return []cell{{from, "", "longer than 1 MiB"}}, nil
		case err != nil:
			return nil, err
		}
		for d := json.NewDecoder(&b); d.More(); {
			var row map[string]json.RawMessage
			if err := d.Decode(&row); err != nil {
				return nil, err
			}
			for _, value := range row { // the only one
				cells = append(cells, cellOf(from+int64(len(cells)), value))
			}
		}
		break
	}
	return cells, nil
}

// cellOf is a value from its JSON. Text is without quotes.
func cellOf(n int64, value json.RawMessage) cell {
	c := cell{Number: n, Kind: "other", Text: string(value)}
	switch {
	case c.Text == "null":
		c.Kind = "null"
	case strings.HasPrefix(c.Text, `"`):
		c.Kind = "text"
		if err := json.Unmarshal(value, &c.Text); err != nil {
			c.Text = string(value)
		}
	case strings.IndexAny(c.Text, "-0123456789") == 0:
		c.Kind = "number"
	}
	if len(c.Text) > maxCell {
		c.Text = c.Text[:lastRune([]byte(c.Text[:maxCell]))] + "…"
	}
	return c
}
