package page

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// show is a key, or a part of one, as text to read: as it is if each of its characters can be seen,
// and otherwise quoted as in Go, so control characters, marks that turn the direction of the text
// and bytes that are no UTF-8 are visible.
func show(name string) string {
	plain := name != "" && utf8.ValidString(name)
	for _, r := range name {
		plain = plain && strconv.IsPrint(r)
	}
	if !plain || strings.HasPrefix(name, `"`) || strings.TrimSpace(name) != name {
		return strconv.Quote(name)
	}
	return name
}

// sentence is a text of an error as a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// encode writes a key for the script: percent-encoded but for letters, digits, "-_.~" and slashes,
// so that any bytes survive in HTML, in a path and in a query.
func encode(key string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(key))
}

// link is the URL of a key below a mount, with further parameters, given in pairs.
func link(mount, key string, pairs ...string) string {
	path, query, _ := strings.Cut(wire.PathOf(mount, key), "?")
	var b strings.Builder
	b.WriteString(query)
	for i := 0; i < len(pairs); i += 2 {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	if b.Len() == 0 {
		return path
	}
	return path + "?" + b.String()
}

// folderLink is the URL of the page of a folder.
func folderLink(prefix string, pairs ...string) string {
	if prefix == "" {
		return strings.Replace(link(folderMount, "x", pairs...), folderMount+"x", "/", 1)
	}
	return link(folderMount, prefix, pairs...)
}

// archiveLink is the URL of all files below a prefix as a zip file.
func archiveLink(prefix string) string {
	return "/api/v1/archive?format=zip&prefix=" + url.QueryEscape(prefix)
}

// parentOf is the folder that a key or a folder lies in.
func parentOf(key string) string {
	return key[:strings.LastIndexByte(strings.TrimSuffix(key, "/"), '/')+1]
}
