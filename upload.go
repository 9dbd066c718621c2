package kvault

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/contenttype"
)

// Upload is a handle on a value that is written in parts: at any offset and in any order, by any
// number of handles and processes at once, and over any number of restarts. Publish makes it the
// value of its key; before that no reader sees it. NewUpload makes one, and OpenUpload finds it
// again by its ID.
//
// A handle holds no connection, transaction or memory between calls, need not be closed, and is
// safe for concurrent use. Once the upload was published or aborted or has expired, all methods
// fail with ErrNoUpload.
//
// Writer takes a value in one go, in order, and checks less often; use Upload where a source may
// break off and go on later, or sends several parts at once.
type Upload struct {
	v *Vault
	u engine.Upload
}

// DefaultUploadExpiry is how long an upload is kept after its last write, unless UploadOptions say
// otherwise.
const DefaultUploadExpiry = 7 * 24 * time.Hour

// UploadOptions describe an upload. Nil and the zero value choose the defaults.
type UploadOptions struct {
	// Size is the exact length of the value in bytes. It counts if it is above 0 or SizeKnown is
	// set. A write beyond it is ErrInvalid. SetSize can declare it later.
	Size      int64
	SizeKnown bool
	// ChunkSize overrides Options.ChunkSize. Parts that begin and end at multiples of it are
	// written fastest.
	ChunkSize int
	// Expires is how long the upload is kept after the last write, from 1 ms to 100 years. Default
	// DefaultUploadExpiry.
	Expires time.Duration
	// ContentType, ModTime and User are as in PutOptions. SetMetadata can change them until the
	// upload is published. A zero ModTime means the time of publishing.
	ContentType string
	ModTime     time.Time
	User        map[string]string
}

// Extent is the bytes of a value from Start on, up to but without End. Its fields are those
// of [engine.Extent].
type Extent = engine.Extent

// UploadInfo describes an upload.
type UploadInfo struct {
	ID, Key string
	// Size is the length of the whole value in bytes, if SizeKnown.
	Size      int64
	SizeKnown bool
	ChunkSize int
	// Written says which bytes are there: ascending, and with a gap between two extents.
	Written []Extent
	Created time.Time
	// Expires is when the vault discards the upload unless a part is written before. A write
	// postpones it if that adds a hundredth of the time or more.
	Expires time.Time
	// ContentType, ModTime and User are those of UploadOptions or SetMetadata.
	ContentType string
	ModTime     time.Time
	User        map[string]string
}

// PublishOptions restrict Publish. With nil and the zero value it replaces what is there.
type PublishOptions struct {
	// IfAbsent fails with ErrExists if the key exists.
	IfAbsent bool
	// IfTag, if not empty, replaces only the version with that Tag, and otherwise fails with
	// ErrNotFound or ErrTagMismatch.
	IfTag string
}

// put returns the options as those of a put, checked for key.
func (o *UploadOptions) put(key string) (*PutOptions, error) {
	if o == nil {
		o = &UploadOptions{}
	}
	p := &PutOptions{
		Size: o.Size, SizeKnown: o.SizeKnown, ChunkSize: o.ChunkSize,
		ContentType: o.ContentType, ModTime: o.ModTime, User: o.User,
	}
	return p.checked(key)
}

// NewUpload starts an upload that is to become the value of key. Several uploads may have one key;
// the one that is published last is its value.
//
// The writer's cache does not concern uploads: every part goes to the file. ErrUnsupported if the
// engine has no uploads.
func (v *Vault) NewUpload(ctx context.Context, key string, o *UploadOptions) (*Upload, error) {
	p, err := o.put(key)
	if err != nil {
		return nil, fail("new upload", key, err)
	}
	opt := engine.UploadOptions{
		Key: key, Size: -1, ChunkSize: p.ChunkSize, Expires: DefaultUploadExpiry,
		Meta: engine.Meta{ContentType: p.ContentType, ModTime: p.ModTime, User: p.User},
	}
	if p.SizeKnown {
		opt.Size = p.Size
	}
	if opt.ChunkSize == 0 {
		opt.ChunkSize = v.opt.ChunkSize
	}
	if o != nil && o.Expires != 0 {
		opt.Expires = o.Expires
	}
	u := &Upload{v: v}
	err = v.changeUpload(ctx, func(s engine.Uploader) (err error) {
		u.u, err = s.NewUpload(ctx, opt)
		return err
	})
	if err != nil {
		return nil, fail("new upload", key, err)
	}
	return u, nil
}

// OpenUpload returns the upload with that ID, also one that another process made. ErrNoUpload if
// there is none.
func (v *Vault) OpenUpload(ctx context.Context, id string) (*Upload, error) {
	u := &Upload{v: v}
	err := v.lookUpload(ctx, func(s engine.Uploader) (err error) {
		u.u, err = s.OpenUpload(ctx, id)
		return err
	})
	if err != nil {
		return nil, fail("open upload", id, err)
	}
	return u, nil
}

// uploadPage is the most uploads that are in memory during a listing.
const uploadPage = 100

// Uploads yields the uploads of all keys that begin with prefix, in the order of the keys. It reads
// them in pages, as List does, and holds nothing open between two pages.
func (v *Vault) Uploads(ctx context.Context, prefix string) iter.Seq2[UploadInfo, error] {
	return func(yield func(UploadInfo, error) bool) {
		q := engine.UploadQuery{Prefix: prefix, Limit: uploadPage}
		for {
			var page engine.UploadPage
			err := v.lookUpload(ctx, func(s engine.Uploader) (err error) {
				page, err = s.Uploads(ctx, q)
				return err
			})
			if err != nil {
				yield(UploadInfo{}, fail("list uploads", "", err))
				return
			}
			for i := range page.Uploads {
				if !yield(uploadInfoOf(&page.Uploads[i]), nil) {
					return
				}
			}
			if !page.More || len(page.Uploads) == 0 {
				return
			}
			last := page.Uploads[len(page.Uploads)-1]
			q.AfterKey, q.AfterID = last.Key, last.ID
		}
	}
}

// lookUpload runs fn, which must not change anything, with the engine.
func (v *Vault) lookUpload(ctx context.Context, fn func(engine.Uploader) error) error {
	return v.do(ctx, func(engine.Reader) error {
		s, ok := v.store.(engine.Uploader)
		if !ok {
			return ErrUnsupported
		}
		return fn(s)
	})
}

// changeUpload runs fn, which writes, with the engine.
func (v *Vault) changeUpload(ctx context.Context, fn func(engine.Uploader) error) error {
	return v.change(ctx, func() error { return v.lookUpload(ctx, fn) })
}

func uploadInfoOf(u *engine.UploadInfo) UploadInfo {
	return UploadInfo{
		ID: u.ID, Key: u.Key, Size: max(u.Size, 0), SizeKnown: u.Size >= 0, ChunkSize: u.ChunkSize,
		Written: u.Written, Created: u.Created, Expires: u.Expires,
		ContentType: u.Meta.ContentType, ModTime: u.Meta.ModTime, User: u.Meta.User,
	}
}

// ID names the upload in OpenUpload: a short text without white space or characters that need
// escaping in a URL. It is no secret.
func (u *Upload) ID() string { return u.u.ID() }

// Key is the key that the upload is for.
func (u *Upload) Key() string { return u.u.Key() }

// ChunkSize is the length in bytes of a chunk.
func (u *Upload) ChunkSize() int { return u.u.ChunkSize() }

// fail returns err as that of a call.
func (u *Upload) fail(err error) error { return fail("upload", u.u.Key(), err) }

// Info describes the upload as it is now.
func (u *Upload) Info(ctx context.Context) (UploadInfo, error) {
	var info engine.UploadInfo
	err := u.v.lookUpload(ctx, func(engine.Uploader) (err error) {
		info, err = u.u.Info(ctx)
		return err
	})
	return uploadInfoOf(&info), u.fail(err)
}

// WriteAt stores p at the offset off, in place of what was written there. Offsets may come in any
// order and leave gaps. Once WriteAt has returned nil, p is in the file: if the process dies it is
// there, and after a power cut too, with Durability Full. Every call postpones the expiry, also one
// with an empty p.
//
// Of two calls that write the same bytes, the later one counts. If both run at once, each chunk has
// the bytes of one of them, never a mixture. If WriteAt fails it may have stored the first chunks of
// p; Info says what is there, and the same call may be made again.
//
// Other writers wait no longer than it takes to write a few chunks. ErrInvalid beyond the size,
// ErrTooLarge for more than 16384 extents: fill gaps first.
func (u *Upload) WriteAt(ctx context.Context, p []byte, off int64) error {
	return u.fail(u.v.changeUpload(ctx, func(engine.Uploader) error { return u.u.WriteAt(ctx, p, off) }))
}

// ReadFrom stores the bytes of r up to io.EOF, from the offset off on. It returns how many it
// stored, and those are safe as after WriteAt. If r fails, that includes what came before the
// failure, and the error is an *IOError: to go on, call ReadFrom with what follows in the source.
// ReadFrom holds one chunk in memory.
func (u *Upload) ReadFrom(ctx context.Context, r io.Reader, off int64) (n int64, err error) {
	if off < 0 {
		return 0, u.fail(invalid("offset %d is negative", off))
	}
	chunk := int64(u.ChunkSize())
	var buf []byte
	if chunk == DefaultChunkSize {
		pooled := buffers.Get().(*[DefaultChunkSize + 1]byte)
		defer buffers.Put(pooled)
		buf = pooled[:chunk]
	} else {
		buf = make([]byte, chunk)
	}
	for {
		room := buf[:chunk-(off+n)%chunk] // up to the end of the chunk
		k, source := fillFrom(ctx, r, room)
		if k > 0 {
			if err := u.WriteAt(ctx, room[:k], off+n); err != nil {
				return n, err
			}
			n += int64(k)
		}
		switch source {
		case nil:
		case io.EOF:
			return n, nil
		default:
			return n, u.fail(source)
		}
	}
}

// fillFrom reads from r until p is full. It returns the number of bytes read with the error that
// came first.
func fillFrom(ctx context.Context, r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = readMore(ctx, r, p[n:])
		n += k
	}
	return n, err
}

// ReadAt fills p with what was written from off on, for a digest, say. It returns fewer bytes, with
// io.EOF itself, where a gap or the end of what was written comes first. It compares no checksums.
func (u *Upload) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	err = u.v.lookUpload(ctx, func(engine.Uploader) (err error) {
		n, err = u.u.ReadAt(ctx, p, off)
		return err
	})
	if err == io.EOF {
		return n, err
	}
	return n, u.fail(err)
}

// SetSize declares the length of the whole value. If more is written already, it is ErrInvalid.
func (u *Upload) SetSize(ctx context.Context, size int64) error {
	if size < 0 {
		return u.fail(invalid("size %d is negative", size))
	}
	return u.update(ctx, func(i *engine.UploadInfo) error { i.Size = size; return nil })
}

// SetMetadata changes what UploadOptions say of content type, time and user metadata. What o leaves
// empty stays as it was. ErrInvalid if o has an IfTag: Publish takes conditions.
func (u *Upload) SetMetadata(ctx context.Context, o *MetadataOptions) error {
	var m engine.Meta
	if err := o.over(&m.ContentType, &m.ModTime, &m.User); err != nil {
		return u.fail(err) // rather than after a wait for the lock
	}
	return u.update(ctx, func(i *engine.UploadInfo) error {
		return o.over(&i.Meta.ContentType, &i.Meta.ModTime, &i.Meta.User)
	})
}

func (u *Upload) update(ctx context.Context, change func(*engine.UploadInfo) error) error {
	return u.fail(u.v.changeUpload(ctx, func(engine.Uploader) error { return u.u.Update(ctx, change) }))
}

// Publish makes the upload the value of its key, in one small commit that copies nothing, however
// large it is; only a value of at most 1 MiB is moved, so that it is stored as by Put. The upload is
// used up then. If Publish fails, the upload stays as it is.
//
// A gap, or fewer bytes than the size says, is ErrInvalid, and the error names the first missing
// bytes. Publish flushes the cache first, as every conditional write does.
func (u *Upload) Publish(ctx context.Context, o *PublishOptions) (Entry, error) {
	return publishUpload(ctx, u.v, u, o)
}

// PublishUpload is Upload.Publish in the transaction. It looks at the upload from outside the
// transaction: with DisableWAL, once a transaction has written more than fits in CacheKB, it fails
// with ErrBusy after BusyTimeout. Publish first there.
func (t *Tx) PublishUpload(ctx context.Context, u *Upload, o *PublishOptions) (Entry, error) {
	return publishUpload(ctx, t, u, o)
}

func publishUpload(ctx context.Context, s executor, u *Upload, o *PublishOptions) (Entry, error) {
	if o == nil {
		o = &PublishOptions{}
	}
	p, head := &PutOptions{IfAbsent: o.IfAbsent, IfTag: o.IfTag}, make([]byte, contenttype.Sniffed)
	p, err := p.checked(u.Key())
	if err == nil {
		err = s.writable(ctx)
	}
	if err == nil {
		err = s.do(ctx, func(engine.Reader) error {
			info, err := u.u.Info(ctx)
			if err != nil {
				return err
			}
			m := info.Meta
			p.ContentType, p.ModTime, p.User = m.ContentType, m.ModTime, m.User
			n, err := u.u.ReadAt(ctx, head[:cap(head)], 0)
			if head = head[:n]; errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		})
	}
	if err != nil {
		return Entry{}, u.fail(err)
	}
	op := engine.Op{
		Kind: engine.Put, Key: u.Key(), Upload: u.u, Meta: p.meta(u.Key(), head), If: p.condition(),
	}
	res, err := s.apply(ctx, op)
	return entryOf(res.Entry), u.fail(err)
}

// Abort discards the upload. If it was published or discarded before, that is ErrNoUpload, so a
// deferred Abort after Publish does no harm.
func (u *Upload) Abort(ctx context.Context) error {
	return u.fail(u.v.changeUpload(ctx, func(engine.Uploader) error { return u.u.Abort(ctx) }))
}
