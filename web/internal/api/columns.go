package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/vaultjson"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// columnLine is a column in the list of all.
type columnLine struct {
	vaultjson.Column
	Nullable bool `json:"nullable,omitempty"`
	// ElementBytes is the length of each element, or 0 if they differ.
	ElementBytes int64 `json:"element_bytes,omitempty"`
	// Table is the table that the column belongs to, such as "flights/".
	Table string `json:"table,omitempty"`
	Path  string `json:"path"`
}

func lineOf(info column.Info) columnLine {
	return columnLine{
		Column: vaultjson.ColumnOf(info), Nullable: nullable(info.Type), ElementBytes: info.Size,
		Table: info.Name[:strings.Index(info.Name, "/")+1],
		Path:  wire.PathOf(columnMount, info.Name),
	}
}

func nullable(typ string) bool { return strings.HasSuffix(typ, ":null") }

// columns answers with the columns that the token may read, in the order they were made.
func (h *handler) columns(a *reply, r *http.Request) error {
	if p := parametersOf(r); p.err != nil {
		return p.err
	}
	list, err := column.List(r.Context(), h.v)
	if err != nil || a.headOnly(r) {
		return err
	}
	grant := access.Of(r.Context())
	page := newPage(a, "columns")
	for _, info := range list {
		if !grant.Read(info.Name) {
			continue
		}
		if err := page.add(lineOf(info)); err != nil {
			return err
		}
	}
	return page.end()
}

// columnMount is where columns are.
const columnMount = Mount + "columns/"

// column answers with rows of a column or table, or with a view of a column.
func (h *handler) column(a *reply, r *http.Request) error {
	name, err := wire.KeyOf(r.URL, columnMount)
	if err != nil {
		return err
	}
	common := []string{"view"}
	if r.URL.EscapedPath() == columnMount {
		common = append(common, "key")
	}
	views := map[string]struct {
		answer     func(a *reply, r *http.Request, name string, p *parameters) error
		parameters []string
	}{
		"rows":      {h.rows, []string{"format", "offset", "limit", "column..."}},
		"summary":   {h.summary, nil},
		"histogram": {h.histogram, []string{"bins"}},
		"plot":      {h.plot, []string{"points", "from", "to"}},
	}
	view := r.URL.Query().Get("view")
	if view == "" {
		view = "rows"
	}
	v, known := views[view]
	p := parametersOf(r, append(common, v.parameters...)...)
	if !known {
		p.err = badRequest("view is one of rows, summary, histogram, plot, not %s", quoted(view))
	}
	if p.err != nil {
		return p.err
	}
	return v.answer(a, r, name, p)
}

// selection is the columns that a request is for, by their names without the prefix.
type selection struct {
	prefix string
	names  []string
}

// selected returns the columns of a request: the one called name, or if that ends in a slash those
// of the table, or of them the ones chosen. It checks that the token may read them.
func (h *handler) selected(ctx context.Context, name string, chosen []string) (selection, error) {
	grant := access.Of(ctx)
	if !strings.HasSuffix(name, "/") {
		if len(chosen) > 0 {
			return selection{}, badRequest(
				`column chooses among those of a table: end the path in "/" for one`)
		}
		if !grant.Read(name) {
			return selection{}, wire.Forbidden()
		}
		return selection{names: []string{name}}, nil
	}
	for i, c := range chosen {
		if !grant.Read(name + c) {
			return selection{}, wire.Forbidden()
		}
		if slices.Contains(chosen[:i], c) {
			return selection{}, badRequest("the column %s is chosen twice", quoted(c))
		}
	}
	if len(chosen) > 0 {
		return selection{name, chosen}, nil
	}
	if !grant.ReadPrefix(name) {
		return selection{}, wire.Forbidden()
	}
	return h.table(ctx, name)
}

// table returns the columns of a table. If one has just the table's name, nothing is left of that
// without the prefix, so all have their whole names then.
func (h *handler) table(ctx context.Context, name string) (selection, error) {
	list, err := column.List(ctx, h.v)
	if err != nil {
		return selection{}, err
	}
	s := selection{prefix: name}
	for _, info := range list {
		if rest, below := strings.CutPrefix(info.Name, name); below {
			s.names = append(s.names, rest)
		}
	}
	if len(s.names) == 0 {
		return s, &wire.Error{Status: http.StatusNotFound, Text: "there is no such table"}
	}
	if slices.Contains(s.names, "") {
		s.prefix = ""
		for i := range s.names {
			s.names[i] = name + s.names[i]
		}
	}
	return s, nil
}

// columnError says of what the error of a call of package column is.
func columnError(err error) error {
	switch {
	case errors.Is(err, kvault.ErrNotFound):
		return &wire.Error{Status: http.StatusNotFound, Text: "there is no such column", Cause: err}
	case errors.Is(err, kvault.ErrCorrupt):
		return &wire.Error{
			Status: http.StatusInternalServerError, Text: "the column is damaged", Cause: err,
		}
	case errors.Is(err, kvault.ErrUnsupported):
		return &wire.Error{
			Status: http.StatusNotImplemented, Cause: err,
			Text: "the column is of a type that this program does not know",
		}
	}
	return err
}

// shape is what columns are at one moment.
type shape struct {
	columns []shownColumn
	length  int64
}

type shownColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable,omitempty"`
}

// shapeOf opens columns and compares their lengths.
func shapeOf(ctx context.Context, v *kvault.Vault, s selection) (sh shape, err error) {
	err = column.View(ctx, v, func(tx *kvault.Tx) error {
		sh = shape{}
		for i, name := range s.names {
			c, err := column.OpenAny(ctx, tx, s.prefix+name)
			if err != nil {
				return err
			}
			n, err := c.Len(ctx)
			if err != nil {
				return err
			}
			if i > 0 && n != sh.length {
				return badRequest("%s has %d elements, but %s has %d: choose columns of one length",
					quoted(name), n, quoted(s.names[0]), sh.length)
			}
			sh.columns = append(sh.columns, shownColumn{name, c.Type(), nullable(c.Type())})
			sh.length = n
		}
		return nil
	})
	return sh, columnError(err)
}
