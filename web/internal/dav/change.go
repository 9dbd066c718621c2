package dav

import (
	"net/http"
	"path"
	"strings"

	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// change runs do in a transaction, or on the vault if it has none, in which the header If is true,
// unless a lock whose token the request does not name protects what it changes. The locks of what
// DELETE and MOVE take away end before another client can lock the name again.
func (q *request) change(do func(transact.Store) error, claims ...claim) error {
	q.locks.commits.RLock()
	defer q.locks.commits.RUnlock()
	if err := q.locks.check(q.tokens(), claims...); err != nil {
		return err
	}
	err := transact.Update(q.r.Context(), q.v, func(t transact.Store) error {
		if err := q.conditions(t); err != nil {
			return err
		}
		return do(t)
	})
	if err == nil && (q.r.Method == http.MethodDelete || q.r.Method == "MOVE") {
		q.locks.forget(q.name)
	}
	return err
}

func (q *request) delete() error {
	if q.name == "." {
		return errRoot
	}
	if err := q.conditions(q.v); err != nil {
		return err
	}
	err := q.change(func(t transact.Store) error {
		n, err := q.source(t)
		if err != nil {
			return err
		}
		if depth := q.r.Header.Get("Depth"); n.folder && depth != "" && !isInfinity(depth) {
			return errDepth // as the whole folder goes, or nothing
		}
		if err := q.remove(t, n); err != nil {
			return err
		}
		return q.keepParent(t, q.name)
	}, claim{q.name, true}, claim{name: path.Dir(q.name)})
	if err != nil {
		return err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

func isInfinity(depth string) bool { return strings.EqualFold(depth, "infinity") }

var errDepth = &wire.Error{
	Status: http.StatusBadRequest, Text: "this method cannot have that header Depth",
}

var errRoot = &wire.Error{
	Status: http.StatusForbidden, Text: "the root cannot be replaced, moved, copied or deleted",
}

// source returns what the path of the request names, to be changed or copied.
func (q *request) source(t transact.Store) (node, error) {
	n, err := q.find(t, q.name)
	if err == nil {
		err = values.Holds(q.r.Header, n.entry, true)
	}
	return n, err
}

// remove deletes the key of a file, or the keys in a folder.
func (q *request) remove(t transact.Store, n node) error {
	if n.folder {
		prefix := prefixOf(n.name)
		if prefix == "" || !q.grant.WritePrefix(prefix) {
			return wire.Forbidden()
		}
		_, err := t.DeletePrefix(q.r.Context(), prefix)
		return err
	}
	if !q.grant.Write(n.name) {
		return wire.Forbidden()
	}
	return transact.Delete(q.r.Context(), t, n.entry)
}
