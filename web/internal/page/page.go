// Package page serves the page of a vault: a file browser that works without script, and is quicker
// with it. Every name is escaped by html/template; nothing is stored by GET. The guard refuses POST
// requests from other origins, so the forms carry no token of their own.
package page

import (
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Options configure a Handler. The zero value is the default.
type Options struct {
	// Name is the name of the vault that the page shows. Empty: "kvault".
	Name string
}

// Handler serves the page of a vault. It is safe for concurrent use.
type Handler struct {
	v      *kvault.Vault
	o      Options
	assets *assets
	pages  map[string]*template.Template
	routes []route
}

// route answers every path that begins with mount, or the path alone if mount ends in no slash.
type route struct {
	mount   string
	methods string
	serve   func(w http.ResponseWriter, r *http.Request)
}

// New returns the handler of the page of v, for every path that no other section has. It reads
// what a request may do from access.Of.
func New(v *kvault.Vault, o Options) (http.Handler, error) {
	if v == nil {
		return nil, errors.New("page: the vault is nil")
	}
	if o.Name == "" {
		o.Name = "kvault"
	}
	h := &Handler{v: v, o: o, assets: loadAssets()}
	var err error
	if h.pages, err = h.parse(); err != nil {
		return nil, err
	}
	h.routes = []route{
		{"/static/", "GET, HEAD", h.assets.ServeHTTP},
		{folderMount, "GET, HEAD, POST", h.folder},
		{deleteMount, "GET, HEAD, POST", h.delete},
		{deleteFolderMount, "GET, HEAD, POST", h.deleteFolder},
		{"/status", "GET, HEAD", h.status},
		{viewMount, "GET, HEAD, POST", h.view},
		{"/columns", "GET, HEAD", h.columns},
		{columnMount, "GET, HEAD", h.column},
		{"/", "GET, HEAD, POST", h.root},
	}
	return h, nil
}

// ServeHTTP answers a request for a page, a form of one, or an asset.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	for _, route := range h.routes {
		if path != route.mount && (!strings.HasSuffix(route.mount, "/") || route.mount == "/" ||
			!strings.HasPrefix(path, route.mount)) {
			continue
		}
		if !strings.Contains(", "+route.methods+", ", ", "+r.Method+", ") {
			w.Header().Set("Allow", route.methods)
			h.fail(w, r, &wire.Error{
				Status: http.StatusMethodNotAllowed, Text: "this page does not take " + r.Method,
			})
			return
		}
		route.serve(w, r)
		return
	}
	h.fail(w, r, &wire.Error{Status: http.StatusNotFound, Text: "there is nothing at this address"})
}
