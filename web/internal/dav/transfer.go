package dav

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// transfer is a COPY or a MOVE.
type transfer struct {
	*request
	to        string
	move      bool
	overwrite bool
	shallow   bool // of a folder only the folder itself
	replaced  bool
}

func (q *request) copyOrMove() error {
	x, err := q.transfer()
	if err == nil {
		err = q.conditions(q.v)
	}
	if err != nil {
		return err
	}
	claims := []claim{{x.to, true}, {name: path.Dir(x.to)}}
	if x.move {
		claims = append(claims, claim{q.name, true}, claim{name: path.Dir(q.name)})
	}
	if err := q.change(x.do, claims...); err != nil {
		return err
	}
	status := http.StatusCreated
	if x.replaced {
		status = http.StatusNoContent
	}
	q.w.WriteHeader(status)
	return nil
}

// transfer reads the headers of a COPY or MOVE.
func (q *request) transfer() (*transfer, error) {
	to, err := q.destination()
	if err != nil {
		return nil, err
	}
	x := &transfer{request: q, to: to, move: q.r.Method == "MOVE"}
	switch q.r.Header.Get("Overwrite") {
	case "", "T":
		x.overwrite = true
	case "F":
	default:
		return nil, &wire.Error{
			Status: http.StatusBadRequest, Text: "the header Overwrite is neither T nor F",
		}
	}
	switch depth := q.r.Header.Get("Depth"); {
	case depth == "", isInfinity(depth):
	case depth == "0" && !x.move:
		x.shallow = true
	default:
		return nil, errDepth
	}
	switch {
	case q.name == ".", to == ".":
		return nil, errRoot
	case within(to, q.name) || within(q.name, to):
		return nil, &wire.Error{
			Status: http.StatusForbidden, Text: "one of the paths is the other, or in it",
		}
	}
	return x, nil
}

// destination returns the name in the header Destination.
func (q *request) destination() (string, error) {
	u, err := url.Parse(q.r.Header.Get("Destination"))
	switch {
	case err != nil || u.Path == "" || u.Opaque != "":
		return "", &wire.Error{
			Status: http.StatusBadRequest, Text: "the header Destination is no URL", Cause: err,
		}
	case u.Host != "" && !strings.EqualFold(u.Host, q.r.Host),
		!strings.HasPrefix(u.EscapedPath(), Mount):
		return "", &wire.Error{
			Status: http.StatusBadGateway, Text: "the header Destination leads elsewhere",
		}
	}
	name, _, err := nameOf(u)
	return name, err
}

// do copies or moves: what is at the destination is replaced, and in a transaction all stays if it
// fails.
func (x *transfer) do(t transact.Store) error {
	from, err := x.source(t)
	if err != nil {
		return err
	}
	to, err := x.look(t, x.to)
	if err != nil {
		return err
	}
	if err := x.allowed(from, to); err != nil {
		return err
	}
	if err := x.wantParent(t, x.to); err != nil {
		return err
	}
	if to.found && (transact.Atomic(t) || from.folder || to.folder) {
		if err := x.replace(t, from, to); err != nil {
			return err
		}
	}
	if to.found {
		// Without a transaction a file takes the place of a file in one step, with nothing between.
		x.replaced = true
		if !to.folder && !x.grant.Write(x.to) {
			return wire.Forbidden()
		}
	}
	if err := x.store(t, from); err != nil {
		return err
	}
	if x.move {
		return x.keepParent(t, x.name)
	}
	return nil
}

// allowed checks the grant for what is read and written. remove does for what is replaced.
func (x *transfer) allowed(from, to node) error {
	read, write := x.grant.Read, x.grant.Write
	source, target := x.name, x.to
	if from.folder {
		read, write = x.grant.ReadPrefix, x.grant.WritePrefix
		source, target = prefixOf(x.name), prefixOf(x.to)
	}
	if !read(source) || !write(target) || x.move && !write(source) {
		return wire.Forbidden()
	}
	if to.found && !x.overwrite {
		return &wire.Error{
			Status: http.StatusPreconditionFailed, Text: "the destination exists already",
		}
	}
	return nil
}

// replace removes what is at the destination. A file cannot replace a folder that hides a file: the
// hidden one would be lost without having been seen.
func (x *transfer) replace(t transact.Store, from, to node) error {
	x.replaced = true
	if to.folder && !from.folder {
		hidden, err := t.Exists(x.r.Context(), x.to)
		if err != nil {
			return err
		}
		if hidden {
			return &wire.Error{
				Status: http.StatusConflict, Text: "a key that the folder hides would be lost",
			}
		}
	}
	return x.remove(t, to)
}

// store makes the copies, or renames the keys.
func (x *transfer) store(t transact.Store, from node) error {
	ctx := x.r.Context()
	var err error
	switch prefix := prefixOf(x.to); {
	case from.folder && x.shallow:
		o := newFolder()
		if from.entry.Key != "" {
			o.User, o.ContentType = from.entry.User, from.entry.ContentType
		}
		_, err = t.PutWith(ctx, prefix, nil, o)
	case from.folder && x.move:
		_, err = transact.RenamePrefix(ctx, t, prefixOf(x.name), prefix, nil)
	case from.folder:
		_, err = transact.CopyPrefix(ctx, t, prefixOf(x.name), prefix, nil)
	case x.move:
		err = t.Rename(ctx, x.name, x.to, &kvault.RenameOptions{IfTag: only(t, from)})
		err = transact.Lost(err)
	default:
		_, err = t.Copy(ctx, x.name, x.to, &kvault.CopyOptions{IfTag: only(t, from)})
		err = transact.Lost(err)
	}
	return err
}

// only returns the tag that a change of n names where no transaction keeps it what it is.
func only(s transact.Store, n node) string {
	if transact.Atomic(s) {
		return ""
	}
	return n.entry.Tag
}
