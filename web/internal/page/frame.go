package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

//go:embed templates
var templateFiles embed.FS

// policy lets a page load what this server serves, and scripts and styles only from its own assets:
// neither inline nor from a value. So markup that a fault let into a page would still run nothing.
// A policy has no form for some names of hosts, such as IPv6 addresses; package values refuses to
// send a value as a script there.
func policy(host string) string {
	assets := "'self'"
	if plainHost.MatchString(host) {
		assets = host + "/static/"
	}
	return "default-src 'self'; script-src " + assets + "; style-src " + assets +
		"; img-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)

// frame is what all pages have around their own content. The template of a page defines "content",
// and may define "tools" (in the top bar) and "scripts" (more modules).
type frame struct {
	// Title is the text of the title bar, without the vault's name.
	Title string
	// Section is the entry of the navigation that is marked: "files" or "columns".
	Section string
	// Crumbs lead to where the page is; the last is the page itself.
	Crumbs []crumb
	// Data is the page's own.
	Data any

	Name   string // of the vault
	Status bool   // whether the request may see the state of the vault
}

// crumb is a part of the path to the page. Without an URL it is no link.
type crumb struct{ Text, URL string }

func (h *Handler) parse() (map[string]*template.Template, error) {
	layout, err := template.New("layout.html").Funcs(template.FuncMap{
		"asset":    func(name string) string { return h.assets.base + name },
		"icon":     h.icon,
		"size":     func(n int64) string { return humanize.IBytes(uint64(n)) },
		"count":    func(n int64) string { return humanize.Comma(n) },
		"count64":  func(n int) string { return humanize.Comma(int64(n)) },
		"show":     show,
		"sentence": sentence,
		"when":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).ParseFS(templateFiles, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, d := range names {
		if d.Name() == "layout.html" {
			continue
		}
		page, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if page, err = page.ParseFS(templateFiles, path.Join("templates", d.Name())); err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(d.Name(), ".html")] = page
	}
	return pages, nil
}

// icon is the icon of that name from icons.svg, as decoration: screen readers pass over it.
func (h *Handler) icon(name string) template.HTML {
	const svg = `<svg class="icon" aria-hidden="true"><use href="%sicons.svg#%s"/></svg>`
	return template.HTML(fmt.Sprintf(svg, h.assets.base, template.HTMLEscapeString(name)))
}

// render answers with a page: the template of that name within the frame. A page is in memory
// before its first byte is sent, so one that fails is an error page.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, name string, f frame) {
	f.Name, f.Status = h.o.Name, maySeeStatus(r) && name != "status"
	var b bytes.Buffer
	if err := h.pages[name].Execute(&b, f); err != nil {
		wire.Fail(w, r, fmt.Errorf("page %q: %w", name, err))
		return
	}
	setHeaders(w.Header(), r.Host)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	w.Write(b.Bytes()) // an error here is the browser's
}

func setHeaders(h http.Header, host string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(host))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
}

// fail answers with an error as a page.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.AsError(err)
	wire.Note(w, err)
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	h.render(w, r, e.Status, "error", frame{
		Title: http.StatusText(e.Status), Section: "files",
		Crumbs: []crumb{{h.o.Name, "/"}, {http.StatusText(e.Status), ""}},
		Data:   e,
	})
}
