package engine

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"
)

// Uploader is a store that keeps unfinished values which outlive the process that began them.
type Uploader interface {
	Store
	// NewUpload starts a value that no reader can see, and that any process can go on with. An Op
	// that names the upload publishes it.
	NewUpload(ctx context.Context, o UploadOptions) (Upload, error)
	// OpenUpload returns the upload with an id that NewUpload gave, or ErrNoUpload.
	OpenUpload(ctx context.Context, id string) (Upload, error)
	// Uploads returns the first uploads of a query, ordered by key. It leaves out those that have
	// expired.
	Uploads(ctx context.Context, q UploadQuery) (UploadPage, error)
}

// Upload is a handle on one unfinished value. It holds no connection and no memory between calls,
// need not be closed, and is safe for concurrent use. Any number of handles, of any number of
// processes, may write to the same upload at once.
//
// Once the upload was published, aborted or has expired, every method fails with ErrNoUpload.
type Upload interface {
	// ID names the upload: a short text without white space. It is no secret.
	ID() string
	// Key is the key that the upload was made for, and ChunkSize the length in bytes of a chunk.
	Key() string
	ChunkSize() int
	// Info describes the upload as it is now.
	Info(ctx context.Context) (UploadInfo, error)
	// WriteAt stores p at the offset off, and replaces what was written there. Offsets may come in
	// any order, and leave gaps. Once WriteAt has returned nil, p is as durable as the store
	// promises.
	//
	// The part of p within one chunk is stored as a whole or not at all. So if two calls write to
	// one chunk at the same time, one of them comes after the other there. A call that begins after
	// another has returned replaces what that wrote. If WriteAt fails, it may have stored p up to
	// the end of a chunk.
	//
	// A write beyond the size of the upload is ErrInvalid, one that would make more than MaxExtents
	// extents or more chunks than the store allows is ErrTooLarge. Every call postpones the expiry,
	// also one with an empty p.
	WriteAt(ctx context.Context, p []byte, off int64) error
	// ReadAt fills p with what was written from off on. It returns fewer bytes, with io.EOF, where
	// a gap or the end of what was written comes first. It compares no checksums.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Update has change alter Size and the ContentType, ModTime and User of Meta in a description
	// of the upload, and stores those. change may be called more than once, and must call no method
	// of the store. A size below what was written is ErrInvalid. Update returns change's error.
	Update(ctx context.Context, change func(*UploadInfo) error) error
	// Abort discards the upload. If it was discarded before, Abort fails with ErrNoUpload.
	Abort(ctx context.Context) error
}

// UploadOptions describe a new upload.
type UploadOptions struct {
	// Key is the key that the upload is meant for. Several uploads may have the same.
	Key string
	// Size is the length of the whole value in bytes, or -1 if it is not known yet.
	Size int64
	// ChunkSize is the length in bytes of every chunk but the last; at least 1.
	ChunkSize int
	// Expires is how long the upload is kept after the last write, from 1 ms to MaxExpires.
	Expires time.Duration
	// Meta has the content type, modification time and user's metadata that the upload is to
	// remember. Its other fields are ignored.
	Meta Meta
}

const (
	// MaxExpires is the longest time that an upload may be kept after the last write.
	MaxExpires = 100 * 365 * 24 * time.Hour
	// MaxExtents is the largest number of extents of an upload.
	MaxExtents = 1 << 14
)

// Check returns an error if no store can make such an upload.
func (o *UploadOptions) Check() error {
	switch {
	case o.Size < -1:
		return fmt.Errorf("size %d: want -1 or more: %w", o.Size, ErrInvalid)
	case o.ChunkSize < 1:
		return fmt.Errorf("chunk size %d: want at least 1: %w", o.ChunkSize, ErrInvalid)
	case o.Expires < time.Millisecond || o.Expires > MaxExpires:
		return fmt.Errorf("field Expires %v: want 1ms to %v: %w", o.Expires, MaxExpires, ErrInvalid)
	}
	if err := o.Meta.Check(); err != nil {
		return err
	}
	return CheckNewKey(o.Key)
}

// UploadInfo describes an upload.
type UploadInfo struct {
	ID, Key string
	// Size is the length of the whole value in bytes, or -1 if it is not known yet.
	Size      int64
	ChunkSize int
	// Written says which bytes are there.
	Written Extents
	Created time.Time
	// Expires is when the upload will be discarded unless something is written before. A store may
	// postpone it only if that adds a hundredth of the time or more.
	Expires time.Time
	// Meta has the content type, modification time (zero means that of publishing) and user's
	// metadata.
	Meta Meta
}

// Write returns the extents once n bytes at off are written, or an error if they have no place.
func (u *UploadInfo) Write(off int64, n int) (Extents, error) {
	switch {
	case off < 0:
		return nil, fmt.Errorf("offset %d is negative: %w", off, ErrInvalid)
	case off > math.MaxInt64-int64(n):
		return nil, fmt.Errorf("%d bytes at offset %d: %w", n, off, ErrTooLarge)
	case u.Size >= 0 && off+int64(n) > u.Size:
		return nil, fmt.Errorf("%d bytes at offset %d of an upload of %d bytes: %w",
			n, off, u.Size, ErrInvalid)
	}
	written := u.Written.Add(Extent{off, off + int64(n)})
	if len(written) > MaxExtents {
		return nil, fmt.Errorf("more than %d parts with gaps between; fill gaps first: %w",
			MaxExtents, ErrTooLarge)
	}
	return written, nil
}

// CheckChange returns an error if the upload cannot be as change made it.
func (u *UploadInfo) CheckChange() error {
	if end := u.Written.End(); u.Size < -1 || u.Size >= 0 && u.Size < end {
		return fmt.Errorf("size %d of an upload with %d bytes written; start a new one: %w",
			u.Size, end, ErrInvalid)
	}
	return u.Meta.Check()
}

// Complete returns the size of the value, or an ErrInvalid that names the first gap.
func (u *UploadInfo) Complete() (int64, error) {
	size := max(u.Size, u.Written.End())
	if gap, ok := u.Written.Gap(size); ok {
		return 0, fmt.Errorf("bytes %d to %d of %d are missing: %w",
			gap.Start, gap.End-1, size, ErrInvalid)
	}
	return size, nil
}

// UploadQuery selects uploads whose keys begin with Prefix: those after the one with the key
// AfterKey and the id AfterID, if that is not empty.
type UploadQuery struct {
	Prefix            string
	AfterKey, AfterID string
	// Limit is the largest number of uploads in a page; at least 1.
	Limit int
}

// UploadPage is the beginning of a query's result. If More, the query may have further ones, after
// the last.
type UploadPage struct {
	Uploads []UploadInfo
	More    bool
}

// Extent is the bytes of a value from Start on, up to but without End.
type Extent struct{ Start, End int64 }

// Extents are the parts of a value that are there: ascending, none of them empty, and with a gap
// between two of them.
type Extents []Extent

// Add returns the extents with e added. It changes neither x nor its elements.
func (x Extents) Add(e Extent) Extents {
	if e.Start >= e.End {
		return x
	}
	// Those from i up to j touch e.
	i, _ := slices.BinarySearchFunc(x, e.Start, func(a Extent, start int64) int {
		if a.End < start {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(x) && x[j].Start <= e.End; j++ {
		e.Start, e.End = min(e.Start, x[j].Start), max(e.End, x[j].End)
	}
	return slices.Concat(x[:i], Extents{e}, x[j:])
}

// End is where the last extent ends, or 0.
func (x Extents) End() int64 {
	if len(x) == 0 {
		return 0
	}
	return x[len(x)-1].End
}

// Bytes is the number of bytes in all extents.
func (x Extents) Bytes() (n int64) {
	for _, e := range x {
		n += e.End - e.Start
	}
	return n
}

// Covers reports whether all of e is there.
func (x Extents) Covers(e Extent) bool { return x.From(e.Start) >= e.End-e.Start }

// From returns how many bytes are there from off on without a gap.
func (x Extents) From(off int64) int64 {
	for _, e := range x {
		if e.Start <= off && off < e.End {
			return e.End - off
		}
	}
	return 0
}

// Gap returns the first part of a value of that size that is not there.
func (x Extents) Gap(size int64) (Extent, bool) {
	at := int64(0)
	for _, e := range x {
		if e.Start > at {
			return Extent{at, e.Start}, true
		}
		at = e.End
	}
	return Extent{at, size}, at < size
}

// ErrNoUpload: there is no upload with that id: it was published, aborted, has expired, or never
// existed. It is not ErrNotFound, which a condition of the Op that publishes can cause.
var ErrNoUpload error = &sentinel{
	"no such upload: it was published, aborted or has expired; start a new one", fs.ErrNotExist,
}
