package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// folderOf returns the prefix up to its last slash, which names in the archive do without.
func folderOf(prefix string) string { return prefix[:strings.LastIndexByte(prefix, '/')+1] }

// nameOf returns the name in an archive of what follows in a key, so that unpacking stays in its
// folder and no two keys have one name. The name is the text itself, with percent-encoded
//   - slashes that would make an absolute name, an empty segment, or a folder of a value,
//   - the dots of segments "." and "..",
//   - control characters, bytes that are not UTF-8, backslashes, and the colon of a drive,
//   - percent signs that would be taken for an encoding.
//
// So decoding gives the text back. A percent sign at the end is what tells a value from the folder
// that has its name, as "a%" beside "a/b". An empty value whose text ends in a slash is a folder.
// A name that no file system takes is cut, and has a digest instead of the rest.
func nameOf(text string, folder bool, size int64) string {
	var b strings.Builder
	segment := 0 // where the last one begins in b
	for i, w := 0, 0; i < len(text); i += w {
		var r rune
		r, w = utf8.DecodeRuneInString(text[i:])
		last := i+w == len(text)
		switch {
		case r == '/' && b.Len() > segment && (!last || size == 0):
			b.WriteByte('/')
			segment = b.Len()
		case r == '.' && b.Len() == segment && isDots(text[i:]):
			n := len(text[i:]) - len(strings.TrimLeft(text[i:], "."))
			b.WriteString(strings.Repeat("%2E", n))
			w = n
		case r == '/', r == '\\', r == utf8.RuneError && w == 1, unicode.IsControl(r),
			r == ':' && i == 1, r == '%' && isEncoding(text[i:]):
			encode(&b, text[i:i+w])
		default:
			b.WriteString(text[i : i+w])
		}
	}
	if text == "" || folder && b.Len() > segment {
		b.WriteByte('%')
	}
	if b.Len() > maxName {
		return cut(b.String(), text)
	}
	return b.String()
}

// isDots reports whether s begins with the segment "." or "..".
func isDots(s string) bool {
	segment, _, _ := strings.Cut(s, "/")
	return segment == "." || segment == ".."
}

// isEncoding reports whether decoding would take the percent sign that s begins with for more than
// itself.
func isEncoding(s string) bool {
	if len(s) == 1 {
		return true
	}
	_, err := hex.DecodeString(s[1:min(len(s), 3)])
	return err == nil
}

func encode(b *strings.Builder, s string) {
	for i := range len(s) {
		b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{s[i]})))
	}
}

// maxName is the most bytes of a name. Linux takes 4,096, and a zip 65,535.
const maxName = 4000

// cut returns a short name, which ends like no other: in a digest of text and a percent sign.
func cut(name, text string) string {
	head, _, _ := strings.Cut(name[:100], "/")
	head, _, _ = strings.Cut(head, "%")
	sum := sha256.Sum256([]byte(text))
	return strings.ToValidUTF8(head, "") + "~" + hex.EncodeToString(sum[:]) + "%"
}
