package page

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	viewMount = "/view/"
	// siblingLimit is how many folders are passed over to find the file before or behind one.
	siblingLimit = 1000
)

// viewData is what the page of a file shows.
type viewData struct {
	entry
	Value kvault.Entry
	Write bool
	// As is how the value is shown, one of Modes.
	As    string
	Modes []mode
	// Previous and Next lead to the neighbours in the folder; empty where there is none.
	Previous, Next string
	Text           textPart // of the modes text, hex and tree
	Metadata       metadataForm
	Snippets       []snippet
	// Notice is what the last form did, and Problem why it did not.
	Notice, Problem string
}

// mode is a way to show a value.
type mode struct{ Name, Label, URL string }

// RawURL leads to the bytes as a browser may show them.
func (d *viewData) RawURL() string { return link("/v/", d.Key) }

// ETag names the version that the page shows, for requests of the script.
func (d *viewData) ETag() string { return wire.ETag(d.Value) }

// RenderURL leads to the text as HTML without rights.
func (d *viewData) RenderURL() string { return link("/render/", d.Key) }

// FolderURL leads to the folder that the file lies in.
func (d *viewData) FolderURL() string { return folderLink(parentOf(d.Key)) }

// KeyInQuery reports whether the address has the key in its query, which a GET form would drop.
func (d *viewData) KeyInQuery() bool { return strings.Contains(d.FormURL(), "?") }

// FormURL is where the form of the metadata goes.
func (d *viewData) FormURL() string { return link(viewMount, d.Key) }

// view shows a file on GET, and changes its metadata on POST.
func (h *Handler) view(w http.ResponseWriter, r *http.Request) {
	key, err := wire.KeyOf(r.URL, viewMount)
	switch {
	case err != nil:
	case r.Method == http.MethodPost:
		h.changeMetadata(w, r, key)
		return
	default:
		d := &viewData{}
		if r.URL.Query().Get("saved") != "" {
			d.Notice = "The metadata was saved."
		}
		err = h.showFile(w, r, http.StatusOK, key, d)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// showFile fills d with what the query of r asks for, and answers with the page.
func (h *Handler) showFile(
	w http.ResponseWriter, r *http.Request, status int, key string, d *viewData,
) error {
	grant := access.Of(r.Context())
	if !grant.Read(key) {
		return wire.Forbidden()
	}
	e, err := h.v.Stat(r.Context(), key)
	if err != nil {
		return err
	}
	d.entry, d.Value, d.Write = newEntry(e, parentOf(key)), e, grant.Write(key)
	if err := h.showContent(r.Context(), d, r.URL.Query()); err != nil {
		return err
	}
	if err := h.neighbours(r.Context(), d); err != nil {
		return err
	}
	if d.Metadata.Rows == nil {
		d.Metadata = metadataOf(e)
	}
	d.Snippets = snippets(r, key, d.Write)
	f := frame{Section: "files", Crumbs: crumbs(h.o.Name, key, grant), Title: show(d.Name), Data: d}
	h.render(w, r, status, "view", f)
	return nil
}

// showContent decides how the value is shown, and reads what of it is text on the page.
func (h *Handler) showContent(ctx context.Context, d *viewData, query url.Values) error {
	names, err := h.modesOf(ctx, d.Value)
	if err != nil {
		return err
	}
	d.As = names[0]
	for _, name := range names {
		d.Modes = append(d.Modes, mode{name, modeLabels[name], link(viewMount, d.Key, "as", name)})
		if name == query.Get("as") {
			d.As = name
		}
	}
	switch d.As {
	case "text":
		d.Text, err = h.textAt(ctx, d.Value, query)
	case "hex":
		d.Text, err = h.hexAt(ctx, d.Value, query)
	case "tree":
		d.Text, err = h.treeOf(ctx, d.Value)
		if d.Text.Tree == "" && err == nil {
			problem := d.Text.Problem
			d.As = "text"
			d.Text, err = h.textAt(ctx, d.Value, query)
			d.Text.Problem = problem
		}
	}
	return err
}

// neighbours finds the files before and behind one in its folder, among those that the request may
// read. The folder's own value is no file in it.
func (h *Handler) neighbours(ctx context.Context, d *viewData) error {
	folder := parentOf(d.Key)
	for to, o := range map[*string]*kvault.ListOptions{
		&d.Previous: {Prefix: folder, End: d.Key, Reverse: true},
		&d.Next:     {Prefix: folder, Start: d.Key + "\x00"},
	} {
		o.Delimiter, o.Limit, o.NoMetadata = "/", siblingLimit, true
		for e, err := range h.v.List(ctx, o) {
			if err != nil {
				return err
			}
			if !e.Folder && e.Key != folder && access.Of(ctx).Read(e.Key) {
				*to = link(viewMount, e.Key)
				break
			}
		}
	}
	return nil
}

// changeMetadata answers the form of the metadata.
func (h *Handler) changeMetadata(w http.ResponseWriter, r *http.Request, key string) {
	if !access.Of(r.Context()).Write(key) {
		h.fail(w, r, wire.Forbidden())
		return
	}
	form, err := metadataIn(w, r)
	if err == nil {
		_, err = h.v.SetMetadata(r.Context(), key, form.options())
	}
	status := http.StatusBadRequest
	d := &viewData{Metadata: form}
	switch {
	case err == nil:
		http.Redirect(w, r, link(viewMount, key, "saved", "1"), http.StatusSeeOther)
		return
	case errors.Is(err, kvault.ErrTagMismatch):
		status, d.Metadata = http.StatusConflict, metadataForm{}
		d.Problem = "The file was changed meanwhile, and nothing was saved. This is what it is now."
	case errors.Is(err, errForm):
		d.Problem = strings.TrimPrefix(err.Error(), errForm.Error()+": ") + ". Nothing was saved."
	case errors.Is(err, kvault.ErrInvalid), errors.Is(err, kvault.ErrTooLarge):
		d.Problem = "The vault cannot store this: a type is printable text of at most 255 bytes, " +
			"and all metadata has at most 1 MiB. Nothing was saved."
	default:
		h.fail(w, r, err)
		return
	}
	wire.Note(w, err)
	if err := h.showFile(w, r, status, key, d); err != nil {
		h.fail(w, r, err)
	}
}
