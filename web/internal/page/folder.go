package page

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	folderMount = "/b/"
	// pageSize is the number of files and folders on a page: few enough to be laid out at once, on
	// a telephone as well.
	pageSize = 200
	// searchLimit is how many keys one request of a search compares.
	searchLimit = 20_000
)

// folderData is what the page of a folder shows.
type folderData struct {
	Prefix  string
	Entries []entry
	// Query is what the names must contain, and Scanned the number of keys that were compared.
	Query   string
	Scanned int64
	// First leads back to the first page, Next on to the following one; empty where there is none.
	First, Next string
	Grid, Write bool
	// Roots says that the entries are the prefixes that the token allows, and not a folder.
	Roots bool
	// Notice is what the last form did, and Problems what it could not do.
	Notice   string
	Problems []string
}

// entry is a file or a folder as a page shows it.
type entry struct {
	Key     string
	Name    string // below the folder, or empty for the value that has the folder's own key
	Folder  bool
	Size    int64
	ModTime time.Time
	Type    string
	Kind    string // the icon
	Image   bool   // a thumbnail may be had
}

// Encoded is the folder's prefix for the script.
func (d *folderData) Encoded() string { return encode(d.Prefix) }

// Here leads to the folder's first page.
func (d *folderData) Here() string { return folderLink(d.Prefix) }

// ListView leads to the folder as a list.
func (d *folderData) ListView() string { return folderLink(d.Prefix, "view", "list") }

// GridView leads to the folder as a grid.
func (d *folderData) GridView() string { return folderLink(d.Prefix, "view", "grid") }

// ArchiveURL leads to a zip file of the folder.
func (d *folderData) ArchiveURL() string { return archiveLink(d.Prefix) }

// SearchPath is where the form of the search goes. A form has a query of its own, so a folder whose
// key no path can have is in its field "in".
func (d *folderData) SearchPath() string {
	path, _, _ := strings.Cut(d.Here(), "?")
	return path
}

// InQuery reports whether the form of the search needs the field "in".
func (d *folderData) InQuery() bool { return d.SearchPath() == folderMount }

// Shown is the number of entries on this page.
func (d *folderData) Shown() int64 { return int64(len(d.Entries)) }

// Encoded is the key for the script.
func (e entry) Encoded() string { return encode(e.Key) }

// URL leads to the folder, or to the viewer of the file.
func (e entry) URL() string {
	if e.Folder {
		return folderLink(e.Key)
	}
	return link("/view/", e.Key)
}

// ThumbURL leads to the thumbnail of an image.
func (e entry) ThumbURL() string { return link("/thumb/", e.Key, "size", "256") }

// DownloadURL leads to the file as a download.
func (e entry) DownloadURL() string { return link("/v/", e.Key, "download", "1") }

// DeleteURL leads to the question whether to delete the file or the folder.
func (e entry) DeleteURL() string {
	if e.Folder {
		return link(deleteFolderMount, e.Key)
	}
	return link(deleteMount, e.Key)
}

// ArchiveURL leads to a zip file of the folder.
func (e entry) ArchiveURL() string { return archiveLink(e.Key) }

// ShortType is the content type without its parameters.
func (e entry) ShortType() string {
	short, _, _ := strings.Cut(e.Type, ";")
	return short
}

// root answers "/" with the root folder, or with the prefixes that the token allows.
func (h *Handler) root(w http.ResponseWriter, r *http.Request) { h.serveFolder(w, r, "") }

// folder answers the page of a prefix. Any prefix is a folder: one without keys is an empty one, to
// which files may be uploaded.
func (h *Handler) folder(w http.ResponseWriter, r *http.Request) {
	prefix, err := prefixOf(r.URL, folderMount)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.serveFolder(w, r, prefix)
}

// prefixOf is wire.KeyOf for a prefix, which may be empty.
func prefixOf(u *url.URL, mount string) (string, error) {
	query := u.Query()
	if u.EscapedPath() != mount || query.Get("key") != "" {
		return wire.KeyOf(u, mount)
	}
	prefix, err := url.PathUnescape(query.Get("in"))
	if err != nil || len(prefix) > kvault.MaxKey {
		return "", badForm("the address names no folder")
	}
	return prefix, nil
}

func (h *Handler) serveFolder(w http.ResponseWriter, r *http.Request, prefix string) {
	if r.Method == http.MethodPost {
		h.change(w, r, prefix)
		return
	}
	h.showFolder(w, r, http.StatusOK, &folderData{Prefix: prefix, Notice: notice(r)})
}

// showFolder fills d with the entries that the query of r asks for, and answers with the page.
func (h *Handler) showFolder(w http.ResponseWriter, r *http.Request, status int, d *folderData) {
	grant := access.Of(r.Context())
	d.Write, d.Grid = grant.WritePrefix(d.Prefix), grid(w, r)
	f := frame{Section: "files", Crumbs: crumbs(h.o.Name, d.Prefix, grant), Data: d}
	f.Title = f.Crumbs[len(f.Crumbs)-1].Text
	var err error
	switch roots := rootsBelow(grant, d.Prefix); {
	case grant.ReadPrefix(d.Prefix):
		err = h.list(r.Context(), d, r.URL.Query())
	case len(roots) > 0:
		d.Roots, d.Entries = true, roots
	default:
		err = wire.Forbidden()
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.render(w, r, status, "folder", f)
}

// list reads one page of the folder of d, or with the parameter "q" of the keys below it. The empty
// value that keeps a folder without files, as WebDAV makes one, is no file in it.
func (h *Handler) list(ctx context.Context, d *folderData, query url.Values) error {
	// One entry more than a page tells that there is a next one; the marker is none of them.
	o := &kvault.ListOptions{Prefix: d.Prefix, Delimiter: "/", Limit: pageSize + 2}
	after := query.Get("after")
	if d.Query = strings.TrimSpace(query.Get("q")); d.Query != "" {
		return h.search(ctx, d, after)
	}
	if after != "" {
		o.Start = behind(after, d.Prefix)
		d.First = d.Here()
	}
	for e, err := range h.v.List(ctx, o) {
		if err != nil {
			return err
		}
		if len(d.Entries) == pageSize {
			d.Next = folderLink(d.Prefix, "after", d.Entries[pageSize-1].Key)
			break
		}
		if isMarker := e.Key == d.Prefix && e.Size == 0 && strings.HasSuffix(e.Key, "/"); !isMarker {
			d.Entries = append(d.Entries, newEntry(e, d.Prefix))
		}
	}
	return nil
}

// search compares the names of all files below the folder, at most searchLimit of them, with the
// query, whatever the case of letters.
func (h *Handler) search(ctx context.Context, d *folderData, after string) error {
	o := &kvault.ListOptions{Prefix: d.Prefix, Limit: searchLimit + 1, NoMetadata: true}
	if after != "" {
		o.Start = after + "\x00"
		d.First = folderLink(d.Prefix, "q", d.Query)
	}
	query, last := strings.ToLower(d.Query), ""
	for e, err := range h.v.List(ctx, o) {
		if err != nil {
			return err
		}
		if len(d.Entries) == pageSize || d.Scanned == searchLimit {
			d.Next = folderLink(d.Prefix, "q", d.Query, "after", last)
			break
		}
		d.Scanned++
		last = e.Key
		if shown := newEntry(e, d.Prefix); !strings.Contains(strings.ToLower(shown.Name), query) {
			continue
		}
		// Of few of the files all is needed, which an object store would have to ask for each.
		if e, err = h.v.Stat(ctx, e.Key); err == nil {
			d.Entries = append(d.Entries, newEntry(e, d.Prefix))
		} else if !errors.Is(err, kvault.ErrNotFound) {
			return err
		}
	}
	return nil
}

// behind is the first key that a listing shows after the entry of that key: a folder's own keys
// all begin with its key, so the listing goes on behind them.
func behind(after, prefix string) string {
	if folder := strings.HasSuffix(after, "/") && after != prefix; folder {
		return after[:len(after)-1] + "0" // '0' follows '/'
	}
	return after + "\x00"
}

// folderOf is the part of a prefix that its files' names leave out: a token's prefix may end within
// a name.
func folderOf(prefix string) string { return prefix[:strings.LastIndexByte(prefix, '/')+1] }

func newEntry(e kvault.Entry, prefix string) entry {
	shown := entry{
		Key: e.Key, Name: strings.TrimPrefix(e.Key, folderOf(prefix)), Folder: e.Folder,
		Size: e.Size, ModTime: e.ModTime, Type: e.ContentType,
	}
	if e.Folder {
		shown.Name, shown.Kind = strings.TrimSuffix(shown.Name, "/"), "folder"
		return shown
	}
	shown.Kind = kindOf(e.ContentType)
	shown.Image = shown.Kind == "image" && !strings.HasPrefix(e.ContentType, "image/svg")
	return shown
}

// kindOf is the icon for a content type.
func kindOf(contentType string) string {
	contentType, _, _ = strings.Cut(contentType, ";")
	major, minor, _ := strings.Cut(strings.ToLower(strings.TrimSpace(contentType)), "/")
	switch {
	case major == "image" || major == "video" || major == "audio" || major == "text":
		return major
	case minor == "pdf" || strings.HasSuffix(minor, "json") || strings.HasSuffix(minor, "xml"):
		return "text"
	case strings.Contains(minor, "zip") || strings.Contains(minor, "tar"):
		return "archive"
	}
	return "file"
}

// crumbs lead from the root to a prefix. A folder that the request may not read is no link.
func crumbs(name, prefix string, grant access.Grant) []crumb {
	list := []crumb{{Text: name, URL: "/"}}
	for at := 0; at < len(prefix); {
		end := len(prefix)
		if i := strings.IndexByte(prefix[at:], '/'); i >= 0 {
			end = at + i + 1
		}
		c := crumb{Text: show(strings.TrimSuffix(prefix[at:end], "/"))}
		if grant.ReadPrefix(prefix[:end]) {
			c.URL = folderLink(prefix[:end])
		}
		list = append(list, c)
		at = end
	}
	list[len(list)-1].URL = ""
	return list
}

// rootsBelow are the prefixes below prefix that the request may read, as folders.
func rootsBelow(grant access.Grant, prefix string) []entry {
	var roots []entry
	seen := map[string]bool{}
	for _, p := range grant.Prefixes() {
		if strings.HasPrefix(p, prefix) && !seen[p] {
			seen[p] = true
			roots = append(roots, entry{Key: p, Name: p, Folder: true, Kind: "folder"})
		}
	}
	return roots
}

// grid reports whether the request wants the entries as a grid. A choice in the query is kept in a
// cookie.
func grid(w http.ResponseWriter, r *http.Request) bool {
	switch view := r.URL.Query().Get("view"); view {
	case "grid", "list":
		http.SetCookie(w, &http.Cookie{
			Name: "view", Value: view, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
		return view == "grid"
	}
	c, err := r.Cookie("view")
	return err == nil && c.Value == "grid"
}

// maySeeStatus reports whether the request may see the state of the vault, which tells of all keys.
func maySeeStatus(r *http.Request) bool { return access.Of(r.Context()).ReadPrefix("") }
