package dav

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/filetree"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// store is what a Vault and a Tx have in common here.
type store interface {
	FS(ctx context.Context) fs.FS
	Stat(ctx context.Context, key string) (kvault.Entry, error)
}

// node is what a name stands for.
type node struct {
	name   string
	found  bool
	folder bool
	// entry is that of a file, or of a folder's own key "dir/", and zero if the folder has none.
	entry kvault.Entry
}

// key returns the key that has the node's metadata.
func (n node) key() string {
	if n.folder {
		return prefixOf(n.name)
	}
	return n.name
}

// look returns what name stands for. The folders that lead to what the grant allows always exist:
// its holder can enter and fill them.
func (q *request) look(s store, name string) (node, error) {
	n := node{name: name}
	if leadsTo(q.grant, prefixOf(name)) {
		n.found, n.folder = true, true
	} else {
		info, err := fs.Stat(s.FS(q.r.Context()), name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return n, nil
		case err != nil:
			return n, err
		}
		n.found, n.folder = true, info.IsDir()
		if !n.folder {
			n.entry, _ = info.Sys().(kvault.Entry)
			return n, nil
		}
	}
	return n, q.lookAtMark(s, &n)
}

// lookAtMark adds the entry of a folder's own key, if there is one that the grant allows to read.
func (q *request) lookAtMark(s store, n *node) error {
	if n.name == "." || !q.grant.Read(n.key()) {
		return nil
	}
	e, err := s.Stat(q.r.Context(), n.key())
	if errors.Is(err, kvault.ErrNotFound) {
		return nil
	}
	n.entry = e
	return err
}

// find returns what name is, if it exists and the grant lets the request see it.
func (q *request) find(s store, name string) (node, error) {
	n, err := q.look(s, name)
	switch {
	case err != nil:
		return n, err
	case !q.visible(n):
		return n, wire.Forbidden()
	case !n.found:
		return n, kvault.ErrNotFound
	}
	return n, nil
}

// leadsTo reports whether a rule of the grant is for keys in the folder with that prefix only.
func leadsTo(g access.Grant, prefix string) bool {
	return slices.ContainsFunc(g.Prefixes(), func(p string) bool {
		return strings.HasPrefix(p, prefix)
	})
}

// visible reports whether the grant lets a request know about n, be it there or not.
func (q *request) visible(n node) bool {
	prefix := prefixOf(n.name)
	if n.found && n.folder {
		return q.grant.ReadPrefix(prefix) || leadsTo(q.grant, prefix)
	}
	return q.grant.Read(n.name)
}

// wantParent returns an error unless there is a folder for name to be in.
func (q *request) wantParent(s store, name string) error {
	parent, err := q.look(s, path.Dir(name))
	if err == nil && !parent.folder {
		err = &wire.Error{
			Status: http.StatusConflict, Text: "the folder that it would be in does not exist",
		}
	}
	return err
}

// newFolder returns the options of a folder's own key.
func newFolder() *kvault.PutOptions {
	user := map[string]string{}
	return &kvault.PutOptions{ContentType: filetree.AddKind(user, filetree.Folder), User: user}
}

// keepParent makes sure that the folder of name is still there after name is gone, unless the grant
// does not allow it to write the folder's key.
func (q *request) keepParent(t transact.Store, name string) error {
	parent := path.Dir(name)
	key := prefixOf(parent)
	if parent == "." || !q.grant.Write(key) {
		return nil
	}
	for _, err := range t.Keys(q.r.Context(), &kvault.ListOptions{Prefix: key, Limit: 1}) {
		return err
	}
	_, err := t.PutWith(q.r.Context(), key, nil, newFolder())
	return err
}
