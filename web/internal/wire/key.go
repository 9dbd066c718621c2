// Package wire is what all parts of the server say alike: how a key is written in a URL, what an
// error of the vault is in HTTP, and the headers of a value. It does not know what is served where.
package wire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/kohakuvault/kvault"
)

// PathOf returns the URL of a key below mount, which ends in a slash: "/v/photos/a%20cat.jpg".
// Browsers and proxies change paths with segments such as "..", and empty ones. A key that has one
// is in the query instead: "/v/?key=..%2Fcat.jpg".
func PathOf(mount, key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 || key == "" {
			return mount + "?key=" + url.QueryEscape(key)
		}
		segments[i] = escapeSegment(s)
	}
	return mount + strings.Join(segments, "/")
}

// escapeSegment escapes all but letters, digits and what no program gives a meaning to in a path.
func escapeSegment(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-_.~@,=+", c) >= 0:
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// KeyOf returns the key that a URL below mount names: what follows in the path, unescaped and never
// cleaned, or the parameter "key" of the query where nothing follows. The error is for the client.
func KeyOf(u *url.URL, mount string) (string, error) {
	escaped, below := strings.CutPrefix(u.EscapedPath(), mount)
	if !below {
		return "", &Error{Status: http.StatusNotFound, Text: "there is nothing at this path"}
	}
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return "", &Error{Status: http.StatusBadRequest,
			Text: "the path is not percent-encoded as it should be"}
	}
	if key != "" && strings.Contains(u.RawQuery, "key=") && u.Query().Has("key") {
		// curl -T adds the name of the file to a path that ends in a slash.
		return "", &Error{Status: http.StatusBadRequest,
			Text: "the path and the parameter key name two keys"}
	}
	if key == "" {
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return "", &Error{Status: http.StatusBadRequest,
				Text: "the query is not percent-encoded as it should be"}
		}
		key = query.Get("key")
	}
	switch {
	case key == "":
		return "", &Error{Status: http.StatusBadRequest, Text: "the path names no key"}
	case len(key) > kvault.MaxKey:
		return "", &Error{Status: http.StatusRequestURITooLong, Text: "the key is too long"}
	}
	return key, nil
}
