package resume

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// store is what tusd stores uploads in.
type store struct{ h *Handler }

// GetUpload returns the upload that route has opened.
func (s *store) GetUpload(ctx context.Context, _ string) (handler.Upload, error) {
	return callOf(ctx).upload, nil
}

// AsTerminatableUpload returns u.
func (s *store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return u.(*upload)
}

// AsLengthDeclarableUpload returns u.
func (s *store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*upload)
}

// upload is an upload during one request.
type upload struct {
	h         *Handler
	u         *kvault.Upload
	published *published // nil until it is
}

// GetInfo describes the upload. If it is complete, a crash or a condition has kept it from being
// published, and GetInfo publishes it: a client takes a complete upload for a stored value.
func (u *upload) GetInfo(ctx context.Context) (info handler.FileInfo, err error) {
	c := callOf(ctx)
	if u.published != nil {
		c.etag = u.published.etag
		return u.published.info(), nil
	}
	i, err := u.u.Info(ctx)
	if p, ok := u.h.recent.find(u.u.ID()); ok && errors.Is(err, kvault.ErrNoUpload) {
		u.published = p // while the request waited for the lock
		return u.GetInfo(ctx)
	}
	if err != nil {
		return info, c.refuse(err)
	}
	c.expires = i.Expires
	info = handler.FileInfo{
		ID: i.ID, Size: i.Size, SizeIsDeferred: !i.SizeKnown,
		MetaData: handler.ParseMetadataHeader(i.User[ownMetadata]),
	}
	if len(i.Written) > 0 && i.Written[0].Start == 0 {
		info.Offset = i.Written[0].End
	}
	if i.SizeKnown && info.Offset == i.Size {
		err = u.FinishUpload(ctx)
	}
	return info, err
}

// GetReader is for downloads, which are turned off.
func (u *upload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, handler.ErrNotImplemented
}

// Terminate discards the upload.
func (u *upload) Terminate(ctx context.Context) error {
	if err := u.u.Abort(ctx); err != nil {
		return callOf(ctx).refuse(err)
	}
	return nil
}

// DeclareLength sets the length of an upload that was created without.
func (u *upload) DeclareLength(ctx context.Context, size int64) error {
	err := u.h.checkSize(size)
	if err == nil {
		err = u.u.SetSize(context.WithoutCancel(ctx), size)
	}
	if err != nil {
		return callOf(ctx).refuse(err)
	}
	return nil
}

// FinishUpload makes the upload the value of its key.
func (u *upload) FinishUpload(ctx context.Context) error {
	if u.published != nil {
		return nil
	}
	c := callOf(ctx)
	e, err := u.publish(context.WithoutCancel(ctx))
	if errors.Is(err, kvault.ErrNotFound) {
		err = kvault.ErrTagMismatch // of a key that is gone
	}
	if err != nil {
		return c.refuse(err)
	}
	u.published = &published{id: u.u.ID(), key: u.u.Key(), etag: wire.ETag(e), size: e.Size}
	u.h.recent.add(u.published)
	c.expires, c.etag = time.Time{}, u.published.etag
	return nil
}

func (u *upload) publish(ctx context.Context) (e kvault.Entry, err error) {
	i, err := u.u.Info(ctx)
	if err != nil {
		return e, err
	}
	p := &kvault.PublishOptions{IfAbsent: i.User[ownIfAbsent] != "", IfTag: i.User[ownIfTag]}
	user := map[string]string{}
	for name, value := range i.User {
		if !strings.HasPrefix(name, ownPrefix) {
			user[name] = value
		}
	}
	if len(user) == len(i.User) {
		return u.u.Publish(ctx, p)
	}
	// In one transaction, so that the conditions are there until the upload is published.
	err = u.h.v.Update(ctx, func(tx *kvault.Tx) error {
		if e, err = tx.PublishUpload(ctx, u.u, p); err != nil {
			return err
		}
		e, err = tx.SetMetadata(ctx, i.Key, &kvault.MetadataOptions{User: user})
		return err
	})
	return e, err
}
