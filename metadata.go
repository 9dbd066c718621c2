package kvault

import (
	"context"
	"fmt"
	"maps"
	"path"
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
	// ErrTagMismatch.
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

// The limits of engine.Meta.Check.
var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2261, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// FitModTime returns the time nearest to t that PutOptions.ModTime accepts. Files may have other
// times: ext4 goes up to the year 2446, and NTFS begins in 1601.
func FitModTime(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}

// TypeByName returns the content type for the extension of a key, or of a path with slashes. It
// returns "" for an extension that it does not know, and for a name without one, such as
// ".profile". PutOptions.ContentType defaults to it. The answer is the same on every machine.
func TypeByName(name string) string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	ext := path.Ext(base)
	if ext == base {
		return ""
	}
	return typesByExtension[strings.ToLower(ext)]
}

// typesByExtension leaves out extensions that several kinds of files share: .dot is used by Word
// and Graphviz, .ts by TypeScript and for video. The first bytes of the value distinguish those.
var typesByExtension = map[string]string{
	".7z":       "application/x-7z-compressed",
	".aac":      "audio/aac",
	".apng":     "image/apng",
	".arrow":    "application/vnd.apache.arrow.file",
	".arrows":   "application/vnd.apache.arrow.stream",
	".atom":     "application/atom+xml",
	".avi":      "video/x-msvideo",
	".avif":     "image/avif",
	".bmp":      "image/bmp",
	".bz2":      "application/x-bzip2",
	".cbor":     "application/cbor",
	".css":      "text/css; charset=utf-8",
	".csv":      "text/csv; charset=utf-8",
	".docx":     "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".eml":      "message/rfc822",
	".eot":      "application/vnd.ms-fontobject",
	".epub":     "application/epub+zip",
	".flac":     "audio/flac",
	".geojson":  "application/geo+json",
	".gif":      "image/gif",
	".glb":      "model/gltf-binary",
	".gltf":     "model/gltf+json",
	".gpkg":     "application/geopackage+sqlite3",
	".gz":       "application/gzip",
	".heic":     "image/heic",
	".heif":     "image/heif",
	".htm":      "text/html; charset=utf-8",
	".html":     "text/html; charset=utf-8",
	".ico":      "image/vnd.microsoft.icon",
	".ics":      "text/calendar; charset=utf-8",
	".jar":      "application/java-archive",
	".jpeg":     "image/jpeg",
	".jpg":      "image/jpeg",
	".js":       "text/javascript; charset=utf-8",
	".json":     "application/json",
	".jsonld":   "application/ld+json",
	".jxl":      "image/jxl",
	".m4a":      "audio/mp4",
	".m4v":      "video/x-m4v",
	".markdown": "text/markdown; charset=utf-8",
	".md":       "text/markdown; charset=utf-8",
	".mid":      "audio/midi",
	".midi":     "audio/midi",
	".mjs":      "text/javascript; charset=utf-8",
	".mkv":      "video/x-matroska",
	".mov":      "video/quicktime",
	".mp3":      "audio/mpeg",
	".mp4":      "video/mp4",
	".mpeg":     "video/mpeg",
	".mpg":      "video/mpeg",
	".odp":      "application/vnd.oasis.opendocument.presentation",
	".ods":      "application/vnd.oasis.opendocument.spreadsheet",
	".odt":      "application/vnd.oasis.opendocument.text",
	".oga":      "audio/ogg",
	".ogg":      "audio/ogg",
	".ogv":      "video/ogg",
	".opus":     "audio/ogg",
	".otf":      "font/otf",
	".parquet":  "application/vnd.apache.parquet",
	".pdf":      "application/pdf",
	".png":      "image/png",
	".pptx":     "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".rar":      "application/vnd.rar",
	".rss":      "application/rss+xml",
	".rtf":      "application/rtf",
	".sqlite":   "application/vnd.sqlite3",
	".sqlite3":  "application/vnd.sqlite3",
	".svg":      "image/svg+xml",
	".tar":      "application/x-tar",
	".tgz":      "application/gzip",
	".tif":      "image/tiff",
	".tiff":     "image/tiff",
	".toml":     "application/toml",
	".tsv":      "text/tab-separated-values; charset=utf-8",
	".ttf":      "font/ttf",
	".txt":      "text/plain; charset=utf-8",
	".vcf":      "text/vcard; charset=utf-8",
	".wasm":     "application/wasm",
	".wav":      "audio/wav",
	".weba":     "audio/webm",
	".webm":     "video/webm",
	".webp":     "image/webp",
	".woff":     "font/woff",
	".woff2":    "font/woff2",
	".xhtml":    "application/xhtml+xml",
	".xlsx":     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml":      "text/xml; charset=utf-8",
	".xz":       "application/x-xz",
	".yaml":     "application/yaml",
	".yml":      "application/yaml",
	".zip":      "application/zip",
	".zst":      "application/zstd",
}
