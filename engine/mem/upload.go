package mem

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/ncruces/wbt"
)

// uploadTree holds the uploads by id; nil is empty.
type uploadTree = wbt.Tree[string, *uploadState]

// uploadState is one state of an upload. Nothing in it ever changes.
type uploadState struct {
	info engine.UploadInfo
	ttl  time.Duration
	data chunk // whose pages may have gaps
}

// upload is a handle on the upload with an id.
type upload struct {
	s       *Store
	id, key string
	chunk   int
}

// described cuts the caller's ties to what the state holds.
func (u *uploadState) described() engine.UploadInfo {
	info := u.info
	info.Meta.User = maps.Clone(info.Meta.User)
	return info
}

// uploadMeta is what an upload remembers of m.
func uploadMeta(m engine.Meta) engine.Meta {
	return engine.Meta{ContentType: m.ContentType, ModTime: m.ModTime, User: maps.Clone(m.User)}
}

// NewUpload starts an upload, and discards those that have expired.
func (s *Store) NewUpload(ctx context.Context, o engine.UploadOptions) (engine.Upload, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	now := time.Now()
	u := &uploadState{ttl: o.Expires, info: engine.UploadInfo{
		ID: fmt.Sprintf("%016x", rand.Uint64()), Key: o.Key, Size: o.Size, ChunkSize: o.ChunkSize,
		Created: now, Expires: now.Add(o.Expires), Meta: uploadMeta(o.Meta),
	}}
	err := s.changeUploads(ctx, func(t *uploadTree) (*uploadTree, error) {
		for id, old := range t.Ascend() {
			if !old.info.Expires.After(now) {
				t = t.Delete(id)
			}
		}
		return t.Put(u.info.ID, u), nil
	})
	if err != nil {
		return nil, err
	}
	return u.handle(s), nil
}

func (u *uploadState) handle(s *Store) *upload {
	return &upload{s: s, id: u.info.ID, key: u.info.Key, chunk: u.info.ChunkSize}
}

func (s *Store) changeUploads(
	ctx context.Context, change func(*uploadTree) (*uploadTree, error),
) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	next := *s.state.Load()
	var err error
	if next.uploads, err = change(next.uploads); err == nil {
		s.state.Store(&next)
	}
	return err
}

// findUpload finds an upload that has not expired.
func findUpload(t *uploadTree, id string) (*uploadState, error) {
	u, ok := t.Get(id)
	if !ok || !u.info.Expires.After(time.Now()) {
		return nil, engine.ErrNoUpload
	}
	return u, nil
}

// OpenUpload returns the upload with that id.
func (s *Store) OpenUpload(ctx context.Context, id string) (engine.Upload, error) {
	u, err := s.lookUpload(ctx, id)
	if err != nil {
		return nil, err
	}
	return u.handle(s), nil
}

func (s *Store) lookUpload(ctx context.Context, id string) (*uploadState, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return findUpload(s.state.Load().uploads, id)
}

// Uploads lists uploads by key.
func (s *Store) Uploads(ctx context.Context, q engine.UploadQuery) (p engine.UploadPage, err error) {
	if err := s.alive(); err != nil {
		return p, err
	}
	if q.Limit < 1 {
		return p, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	compare := func(a, b engine.UploadInfo) int {
		return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID)
	}
	after, now := engine.UploadInfo{Key: q.AfterKey, ID: q.AfterID}, time.Now()
	for _, u := range s.state.Load().uploads.Ascend() {
		info := u.info
		if strings.HasPrefix(info.Key, q.Prefix) && info.Expires.After(now) &&
			(q.AfterID == "" || compare(info, after) > 0) {
			p.Uploads = append(p.Uploads, u.described())
		}
	}
	slices.SortFunc(p.Uploads, compare)
	if p.More = len(p.Uploads) > q.Limit; p.More {
		p.Uploads = p.Uploads[:q.Limit]
	}
	return p, ctx.Err()
}

// countUploads counts the uploads that have not been discarded.
func (s *Store) countUploads() int64 { return int64(s.state.Load().uploads.Len()) }

func (up *upload) ID() string     { return up.id }
func (up *upload) Key() string    { return up.key }
func (up *upload) ChunkSize() int { return up.chunk }

// Info describes the upload.
func (up *upload) Info(ctx context.Context) (engine.UploadInfo, error) {
	u, err := up.s.lookUpload(ctx, up.id)
	if err != nil {
		return engine.UploadInfo{}, err
	}
	return u.described(), nil
}

// change stores what fn makes of the upload's state.
func (up *upload) change(ctx context.Context, fn func(*uploadState) error) error {
	return up.s.changeUploads(ctx, func(t *uploadTree) (*uploadTree, error) {
		old, err := findUpload(t, up.id)
		if err != nil {
			return nil, err
		}
		next := *old
		if err := fn(&next); err != nil {
			return nil, err
		}
		return t.Put(up.id, &next), nil
	})
}

// WriteAt stores p at an offset.
func (up *upload) WriteAt(ctx context.Context, p []byte, off int64) error {
	return up.change(ctx, func(u *uploadState) error {
		written, err := u.info.Write(off, len(p))
		if err != nil {
			return err
		}
		u.data.write(p, off)
		u.info.Written, u.info.Expires = written, time.Now().Add(u.ttl)
		return nil
	})
}

// ReadAt reads what was written from an offset on.
func (up *upload) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	u, err := up.s.lookUpload(ctx, up.id)
	if err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fmt.Errorf("offset %d is negative: %w", off, engine.ErrInvalid)
	}
	n := min(int64(len(p)), u.info.Written.From(off))
	u.data.read(p[:n], off)
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// Update changes the size and the metadata.
func (up *upload) Update(ctx context.Context, change func(*engine.UploadInfo) error) error {
	return up.change(ctx, func(u *uploadState) error {
		info := u.described()
		if err := change(&info); err != nil {
			return err
		}
		u.info.Size, u.info.Meta = info.Size, uploadMeta(info.Meta)
		return u.info.CheckChange()
	})
}

// Abort discards the upload.
func (up *upload) Abort(ctx context.Context) error {
	return up.s.changeUploads(ctx, func(t *uploadTree) (*uploadTree, error) {
		if _, err := findUpload(t, up.id); err != nil {
			return nil, err
		}
		return t.Delete(up.id), nil
	})
}

// takeUpload uses up an upload and returns its value.
func (b *batch) takeUpload(x engine.Upload) ([]byte, error) {
	up, ok := x.(*upload)
	if !ok || up.s != b.store {
		return nil, fmt.Errorf("the upload belongs to another store: %w", engine.ErrInvalid)
	}
	u, err := findUpload(b.uploads, up.id)
	if err != nil {
		return nil, err
	}
	size, err := u.info.Complete()
	if err != nil {
		return nil, err
	}
	b.uploads = b.uploads.Delete(up.id)
	data := make([]byte, size)
	u.data.read(data, 0)
	return data, nil
}
