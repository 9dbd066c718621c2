package kvault

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// Entry describes the value of a key.
type Entry struct {
	// Key may hold any bytes.
	Key string
	// Size is the length of the value in bytes.
	Size int64
	// ModTime is the time that PutOptions.ModTime gave, or else that of the write; zero if another
	// program wrote the value.
	ModTime time.Time
	// ContentType is a MIME type, or empty if not known.
	ContentType string
	// Tag identifies this version of the value: every write makes a new one. Empty if another
	// program wrote the value.
	Tag string
	// Checksum is the CRC-32C (Castagnoli) of the value, if HasChecksum.
	Checksum    uint32
	HasChecksum bool
	// User is the metadata from PutOptions.User, or nil.
	User map[string]string
	// Folder is set in listings with a Delimiter: Key is then the common prefix of one or more
	// keys, and the other fields are zero.
	Folder bool
}

// Item is an entry and its value.
type Item struct {
	Entry
	Value []byte
}

func entryOf(e engine.Entry) Entry {
	return Entry{
		Key: e.Key, Size: e.Size,
		ModTime: e.Meta.ModTime, ContentType: e.Meta.ContentType, Tag: e.Meta.Tag,
		Checksum: e.Meta.Sum, HasChecksum: e.Meta.HasSum,
		User: maps.Clone(e.Meta.User),
	}
}

// pendingEntry returns the engine's form of an entry in the cache.
func pendingEntry(key string, e writeback.Entry) engine.Entry {
	return engine.Entry{Key: key, Size: int64(len(e.Value)), Meta: e.Meta}
}

// Limits of the metadata of a put, in bytes. A vault of another program, or of an earlier version,
// may hold more, and other text; it is read as it is.
const (
	// MaxContentType is the length of the longest content type.
	MaxContentType = 255
	// MaxUserMetadata is the largest total size of the names and values in PutOptions.User.
	MaxUserMetadata = 1 << 20
)

// checkMetadata refuses metadata that an engine cannot store, and a content type that would break
// the line or header in which it is shown. In the cache an entry with such metadata would make
// every flush fail, and with it all other pending writes.
func (o *PutOptions) checkMetadata() error {
	if err := (&engine.Meta{ModTime: o.ModTime, User: o.User}).Check(); err != nil {
		return err
	}
	size := 0
	for name, value := range o.User {
		size += len(name) + len(value)
	}
	switch {
	case size > MaxUserMetadata:
		return &worded{fmt.Sprintf("user metadata has %d bytes, at most %d are possible", size, MaxUserMetadata), ErrTooLarge}
	case len(o.ContentType) > MaxContentType:
		return &worded{fmt.Sprintf("content type has %d bytes, at most %d are possible", len(o.ContentType), MaxContentType), ErrTooLarge}
	case !utf8.ValidString(o.ContentType) || strings.ContainsFunc(o.ContentType, unprintable):
		return invalid("content type %q: want printable text on one line", o.ContentType)
	}
	return nil
}

// NoContentType, as ContentType in PutOptions and MetadataOptions, stands for no content type.
const NoContentType = "none"

// MetadataOptions say what SetMetadata changes. Nil and the zero value change nothing but the tag.
type MetadataOptions struct {
	// ContentType is a MIME type, as in PutOptions. Empty keeps the one that is there, and
	// NoContentType removes it.
	ContentType string
	// ModTime is the modification time, as in PutOptions. Zero keeps the one that is there.
	ModTime time.Time
	// User is your own metadata, as in PutOptions. Nil keeps what is there; an empty map removes it.
	User map[string]string
	// IfTag, if not empty, changes only the version with that Tag, and otherwise fails with
	// ErrTagMismatch. It is for Vault.SetMetadata and Tx.SetMetadata.
	IfTag string
}

// SetMetadata changes metadata of key without storing its value again, and returns the new entry.
// Its Tag is a new one, as it names the value and its metadata: of two callers that set metadata
// IfTag, one wins. Size and checksum stay; a value that another program wrote gets a checksum, and
// the time of the call if no other is given. A missing key is ErrNotFound.
//
// The value does not pass through memory as a whole. In a file, a value in one row is written anew
// nevertheless, in the order of a put of the same size, because SQLite changes a row as a whole;
// above 1 MiB it goes through the file twice. A value in chunk rows stays where it is.
func (v *Vault) SetMetadata(ctx context.Context, key string, o *MetadataOptions) (Entry, error) {
	return setMetadata(ctx, v, key, o)
}

// SetMetadata is Vault.SetMetadata in the transaction.
func (t *Tx) SetMetadata(ctx context.Context, key string, o *MetadataOptions) (Entry, error) {
	return setMetadata(ctx, t, key, o)
}

func setMetadata(ctx context.Context, s executor, key string, o *MetadataOptions) (Entry, error) {
	if o == nil {
		o = &MetadataOptions{}
	}
	err := checkKey(key)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return Entry{}, fail("set metadata", key, err)
	}
	res, err := s.apply(ctx, o.op(key))
	if err != nil {
		return Entry{}, fail("set metadata", key, err)
	}
	return entryOf(res.Entry), nil
}

// over puts what o does not leave empty in place of the metadata of a value that is being written.
// Conditions are those of the call that stores it, so o must have none.
func (o *MetadataOptions) over(contentType *string, modTime *time.Time, user *map[string]string) error {
	if o == nil {
		return nil
	}
	if o.IfTag != "" {
		return invalid("IfTag here: the value has no tag before it is stored; NewWriter and Publish take conditions")
	}
	if err := o.check(); err != nil {
		return err
	}
	*contentType = cmp.Or(o.ContentType, *contentType)
	if !o.ModTime.IsZero() {
		*modTime = o.ModTime
	}
	if o.User != nil {
		*user = maps.Clone(o.User) // the caller may reuse its own
	}
	return nil
}

func (o *MetadataOptions) check() error {
	return (&PutOptions{ContentType: o.ContentType, ModTime: o.ModTime, User: o.User}).checkMetadata()
}

func (o *MetadataOptions) op(key string) engine.Op {
	op := engine.Op{Kind: engine.SetMeta, Key: key, If: engine.Condition{Tag: o.IfTag}}
	op.Meta = engine.Meta{Tag: newTag(), ContentType: o.ContentType, ModTime: o.ModTime, User: o.User}
	switch o.ContentType {
	case "":
		op.Keep |= engine.KeepContentType
	case NoContentType:
		op.Meta.ContentType = ""
	}
	if o.ModTime.IsZero() {
		op.Keep |= engine.KeepModTime
	}
	if o.User == nil {
		op.Keep |= engine.KeepUser
	}
	return op
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
