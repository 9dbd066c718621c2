// Package codec is how keys and metadata are written in a bucket: names of objects, headers and
// pointers, byte by byte as docs/s3-format.md has them. It may not know buckets.
package codec

import (
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// Mark begins the name of each key's object, behind the prefix of the vault, and each part of it
// behind a slash. So no part is empty, "." or "..", which servers and proxies take for a direction,
// and none is a name of ours, which begin with a dot.
const Mark = '='

// MaxName is the longest name of an object, in bytes.
const MaxName = 1024

const digits = "0123456789abcdef"

// lead returns what stands before the two hexadecimal digits of a byte, or 0 if it stands for itself.
// Names are in the order of the keys: each lead lies where the bytes that it is for do.
func lead(c byte) byte {
	switch {
	case c < '-':
		return '!'
	case c <= '9': // and - . /
		return 0
	case c < 'A':
		return '='
	case c <= 'Z':
		return 0
	case c < 'a':
		return '_'
	case c <= 'z':
		return 0
	}
	return '~'
}

// Name returns the name of the object of key, without a prefix: that of a prefix of key is a prefix
// of it, and names are in the order of their keys.
func Name(key string) string {
	var b strings.Builder
	b.Grow(len(key) + 8)
	b.WriteByte(Mark)
	for i := range len(key) {
		c := key[i]
		switch l := lead(c); {
		case l != 0:
			b.WriteByte(l)
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		case c == '/':
			b.WriteByte('/')
			b.WriteByte(Mark)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// CheckName returns engine.ErrTooLarge if no object can have the name of key behind the prefix.
func CheckName(prefix, key string) error {
	if n := len(prefix) + len(Name(key)); n > MaxName {
		return fmt.Errorf("key of %d bytes takes %d in the name of its object with prefix %q, the limit is %d; letters, digits, - and . take one each, others three: %w",
			len(key), n, prefix, MaxName, engine.ErrTooLarge)
	}
	return nil
}

// CheckPrefix returns engine.ErrInvalid if objects below a prefix, which is empty or ends in a slash,
// could be taken for those of a vault that lies above it.
func CheckPrefix(prefix string) error {
	if len(prefix) > MaxName/2 {
		return fmt.Errorf("prefix of %d bytes, the limit is %d: %w", len(prefix), MaxName/2, engine.ErrInvalid)
	}
	for folder := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if prefix != "" && (folder == "" || folder[0] == Mark || folder[0] == '.') {
			return fmt.Errorf("prefix %q: no folder of it may be empty or begin with %c or a dot, as the objects of a vault do; "+
				"choose another: %w", prefix, Mark, engine.ErrInvalid)
		}
	}
	return nil
}

// Key returns the key of an object by its name without the prefix, and false if it is the name of
// none.
func Key(name string) (string, bool) {
	if name == "" || name[0] != Mark {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(name))
	for i := 1; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '/':
			if i+1 == len(name) || name[i+1] != Mark {
				return "", false
			}
			b.WriteByte('/')
			i++
		case c == '!' || c == '=' || c == '_' || c == '~':
			if i+2 >= len(name) {
				return "", false
			}
			hi, lo := strings.IndexByte(digits, name[i+1]), strings.IndexByte(digits, name[i+2])
			if hi < 0 || lo < 0 || lead(byte(hi<<4|lo)) != c {
				return "", false
			}
			b.WriteByte(byte(hi<<4 | lo))
			i += 2
		case lead(c) != 0:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), b.Len() > 0
}

// Last is behind every name that begins with what stands before it.
const Last = "~~"

// Before returns a text that lies before name, and behind every shorter or smaller name of a key.
func Before(name string) string {
	if name == "" {
		return ""
	}
	return name[:len(name)-1] + string(name[len(name)-1]-1) + Last
}
