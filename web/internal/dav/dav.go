// Package dav serves a vault as WebDAV (RFC 4918, classes 1 and 2), so that file managers, rclone
// and davfs2 mount it. golang.org/x/net/webdav parses and answers LOCK, UNLOCK, MKCOL and
// PROPPATCH. The package does all else itself: x/net/webdav holds whole listings in memory, and
// removes the target of a COPY or MOVE before it has the new one.
//
// # Files and folders
//
// A slash in a key separates folders, as in Vault.FS: a folder is a prefix that ends in a slash,
// and it exists as long as a key begins with it. MKCOL makes the key that "kvault import --folders"
// makes: "dir/", with an empty value and the type inode/directory. DELETE and MOVE make one where
// they take the last key of a folder, as clients do not expect the folder to go with it.
//
// If a key is the name of a folder too, as "a" beside "a/b", the folder hides it. No request reads,
// replaces or removes a hidden key, and it is a file again once the folder is gone. Keys that no
// path can name are in no listing: "a//b", "..", what holds NUL, is not UTF-8 or lies in more than
// 256 folders. When a folder is moved, copied, deleted or replaced, so is every key in it, those
// that no path can name included.
//
// # Grants
//
// A request sees the keys that its grant lets it read, and the folders that lead to them. It
// changes a folder only if the grant lets it write every key that may be in it.
//
// # Locks
//
// Locks are in memory: a lock ends with the server, an hour after its last refresh, or with what
// it protects. Locks bind WebDAV only.
package dav

import (
	"net/http"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Mount is where New's handler serves.
const Mount = "/dav/"

// methods is the header Allow for every path. OPTIONS needs no login, so it must not tell which
// keys exist.
const methods = "OPTIONS, GET, HEAD, PUT, DELETE, COPY, MOVE, MKCOL, PROPFIND, PROPPATCH, LOCK, " +
	"UNLOCK"

type handler struct {
	v      *kvault.Vault
	values *values.Handler
	locks  *locks
}

// New returns a handler for requests below Mount, which is safe for concurrent use. values answers
// GET and PUT of files.
func New(v *kvault.Vault, values *values.Handler) http.Handler {
	return &handler{v, values, newLocks()}
}

// request is one request for a path.
type request struct {
	*handler
	w     http.ResponseWriter
	r     *http.Request
	grant access.Grant
	name  string // of what the path names, as fs.FS has it: "." is the root
	slash bool   // the path ends in one, so it is that of a folder
}

// ServeHTTP answers a request for a path below Mount, as far as the grant in its context goes.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions { // Windows asks before it logs in
		w.Header().Set("Allow", methods)
		w.Header().Set("DAV", "1, 2")
		w.Header().Set("MS-Author-Via", "DAV") // otherwise Windows tries another protocol first
		return
	}
	name, slash, err := nameOf(r.URL)
	if err == nil {
		q := &request{h, w, r, access.Of(r.Context()), name, slash}
		err = q.serve()
	}
	if err != nil {
		wire.Fail(w, r, err)
	}
}

func (q *request) serve() error {
	switch q.r.Method {
	case http.MethodGet, http.MethodHead:
		return q.get()
	case http.MethodPut:
		return q.put()
	case http.MethodDelete:
		return q.delete()
	case "COPY", "MOVE":
		return q.copyOrMove()
	case "PROPFIND":
		return q.propfind()
	case "MKCOL", "PROPPATCH", "LOCK", "UNLOCK":
		return q.delegate()
	}
	q.w.Header().Set("Allow", methods)
	return &wire.Error{Status: http.StatusMethodNotAllowed, Text: "WebDAV has no such method here"}
}

func (q *request) get() error {
	n, err := q.find(q.v, q.name)
	if err == nil && n.folder {
		q.w.Header().Set("Allow", methods)
		err = &wire.Error{
			Status: http.StatusMethodNotAllowed, Text: "this is a folder: PROPFIND lists it",
		}
	}
	if err != nil {
		return err
	}
	q.values.Get(q.w, q.r, q.name)
	return nil
}
