package kvault

import (
	"maps"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// Entry is what is known of a key besides its value.
type Entry struct {
	// Key may hold any bytes.
	Key string
	// Size is the length of the value in bytes.
	Size int64
	// ModTime is when the value was written, or what PutOptions.ModTime said; zero if another program wrote it.
	ModTime time.Time
	// ContentType is a MIME type, or empty if not known.
	ContentType string
	// Tag names this version of the value: every write makes another. Empty if another program wrote the value.
	Tag string
	// Checksum is the CRC-32C (Castagnoli) of the value, if HasChecksum.
	Checksum    uint32
	HasChecksum bool
	// User is the metadata that PutOptions.User gave; nil if there is none.
	User map[string]string
	// Folder is set by a listing with a Delimiter: Key is then the common start of one or more keys, and the rest is zero.
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

// pendingEntry is the engine's view of an entry that the cache holds.
func pendingEntry(key string, e writeback.Entry) engine.Entry {
	return engine.Entry{Key: key, Size: int64(len(e.Value)), Meta: e.Meta}
}
