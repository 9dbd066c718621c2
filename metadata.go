package kvault

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kohakuvault/kvault/engine"
)

// Bounds of what a put may say of a value, in bytes. A vault that another program or an earlier
// version has written may hold more, and other text: it is read as it is.
const (
	// MaxContentType is the longest content type.
	MaxContentType = 255
	// MaxUserMetadata is the most that the names and values of PutOptions.User have together.
	MaxUserMetadata = 1 << 20
)

// checkMetadata refuses what an engine cannot keep, and a content type that would break the line or
// the header it is shown in. In the cache an entry with such metadata would fail every flush, and
// with it all other writes that are pending.
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

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
