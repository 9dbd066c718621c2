package dav

import (
	"context"
	"encoding/xml"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"

	"golang.org/x/net/webdav"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// fileSystem is what x/net/webdav sees of the one path of a request, whatever name it gives.
type fileSystem struct{ q *request }

// failure returns an error that delegate takes for the answer.
func failure(err error) error {
	if err == nil {
		return nil
	}
	return wire.AsError(err)
}

// Stat returns an error unless the path exists. x/net/webdav does not look at the information.
func (s fileSystem) Stat(context.Context, string) (os.FileInfo, error) {
	_, err := s.q.find(s.q.v, s.q.name)
	if errors.Is(err, kvault.ErrNotFound) {
		return nil, os.ErrNotExist
	}
	return nil, failure(err)
}

// Mkdir makes a folder.
func (s fileSystem) Mkdir(ctx context.Context, _ string, _ os.FileMode) error {
	q := s.q
	return failure(q.change(func(t transact.Store) error {
		n, err := q.look(t, q.name)
		if err != nil {
			return err
		}
		if n.found {
			return &wire.Error{
				Status: http.StatusMethodNotAllowed, Text: "the name exists already",
			}
		}
		if err := values.Holds(q.r.Header, n.entry, false); err != nil {
			return err
		}
		if err := q.wantParent(t, q.name); err != nil {
			return err
		}
		if key := prefixOf(q.name); q.grant.Write(key) {
			_, err := t.PutWith(ctx, key, nil, newFolder())
			return err
		}
		return wire.Forbidden()
	}, claim{name: q.name}, claim{name: path.Dir(q.name)}))
}

// OpenFile makes an empty file for a lock of a name that does not exist, and returns the properties
// otherwise.
func (s fileSystem) OpenFile(
	ctx context.Context, _ string, flag int, _ os.FileMode,
) (webdav.File, error) {
	q := s.q
	if flag&os.O_CREATE == 0 {
		return properties{q: q}, nil
	}
	if !q.grant.Write(q.name) {
		return nil, wire.Forbidden()
	}
	if q.slash {
		return nil, errFolder
	}
	err := q.change(func(t transact.Store) error {
		if err := q.wantParent(t, q.name); err != nil {
			return err
		}
		_, err := t.PutWith(ctx, q.name, nil, &kvault.PutOptions{IfAbsent: true})
		if errors.Is(err, kvault.ErrExists) { // since Stat
			return nil
		}
		return err
	}, claim{name: path.Dir(q.name)})
	return properties{q: q}, failure(err)
}

// RemoveAll is not called.
func (fileSystem) RemoveAll(context.Context, string) error { return os.ErrPermission }

// Rename is not called.
func (fileSystem) Rename(context.Context, string, string) error { return os.ErrPermission }

// unread has the methods of a webdav.File that x/net/webdav does not call for properties.
type unread struct{}

func (unread) Close() error                       { return nil }
func (unread) Read([]byte) (int, error)           { return 0, fs.ErrInvalid }
func (unread) Write([]byte) (int, error)          { return 0, fs.ErrInvalid }
func (unread) Seek(int64, int) (int64, error)     { return 0, fs.ErrInvalid }
func (unread) Readdir(int) ([]fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (unread) Stat() (fs.FileInfo, error)         { return nil, fs.ErrInvalid }

// properties are those of the path of a request, as a webdav.File and webdav.DeadPropsHolder.
type properties struct {
	unread
	q *request
}

// DeadProps is not called: x/net/webdav answers no PROPFIND here.
func (properties) DeadProps() (map[xml.Name]webdav.Property, error) { return nil, nil }

// Patch sets and removes all properties, or none.
func (s properties) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	q := s.q
	if q.name == "." {
		return nil, &wire.Error{
			Status: http.StatusForbidden, Text: "no property of the root can be set",
		}
	}
	err := q.change(func(t transact.Store) error {
		n, err := q.source(t)
		if err != nil {
			return err
		}
		if !q.grant.Write(n.key()) {
			return wire.Forbidden()
		}
		return q.patch(t, n, patches)
	}, claim{name: q.name})
	if err != nil {
		return nil, failure(err)
	}
	stat := webdav.Propstat{Status: http.StatusOK}
	for _, p := range patches {
		stat.Props = append(stat.Props, p.Props...)
	}
	return []webdav.Propstat{stat}, nil
}

// patch changes the metadata of a file, or of a folder, which may have no key of its own yet.
func (q *request) patch(t transact.Store, n node, patches []webdav.Proppatch) error {
	ctx := q.r.Context()
	if n.folder && n.entry.Key == "" {
		var err error
		if n.entry, err = t.PutWith(ctx, n.key(), nil, newFolder()); err != nil {
			return err
		}
	}
	user := maps.Clone(n.entry.User)
	if user == nil {
		user = map[string]string{}
	}
	modTime := apply(user, patches)
	_, err := t.SetMetadata(ctx, n.key(), &kvault.MetadataOptions{
		User: user, ModTime: modTime, IfTag: only(t, n),
	})
	err = transact.Lost(err)
	if errors.Is(err, kvault.ErrTooLarge) {
		err = &wire.Error{
			Status: http.StatusInsufficientStorage, Text: "the properties are too large", Cause: err,
		}
	}
	return err
}
