package wire

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
)

// TimeHeader carries the time of a value, to the nanosecond, as RFC 3339 writes it. Last-Modified
// knows only seconds.
const TimeHeader = "X-Kvault-Mtime"

// DescribeValue sets the headers that go with the bytes of a value, and with a part of them: its
// content type, version, time and user metadata, and what keeps a browser from giving the bytes any
// right. Whoever stored a value must not act in the name of whoever looks at it, so
//   - the browser takes the content type as it is told (nosniff), and shows only types that it can
//     show without running anything: all others are downloads, and so is every value with download,
//   - what it shows runs no script, sends no form and loads nothing from elsewhere,
//   - no other site can embed the value.
//
// Caches keep a value for the same user only, and ask each time whether it is still the same.
func DescribeValue(h http.Header, e kvault.Entry, download bool) {
	for name := range h { // of another version, which was gone when it was to be read
		switch {
		case name == "Etag", name == "Last-Modified", name == "Content-Range", name == "Content-Length",
			strings.HasPrefix(name, "X-Kvault-"):
			delete(h, name)
		}
	}
	contentType, policy, shown := shownAs(e.ContentType)
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, no-cache")
	disposition := "attachment"
	if shown && !download {
		disposition = "inline"
	}
	h.Set("Content-Disposition", Disposition(disposition, e.Key))
	if tag := ETag(e); tag != "" {
		h.Set("ETag", tag)
	}
	if !e.ModTime.IsZero() {
		h.Set("Last-Modified", e.ModTime.UTC().Format(http.TimeFormat))
		h.Set(TimeHeader, e.ModTime.UTC().Format(time.RFC3339Nano))
	}
	describeUser(h, e.User)
}

// ETag returns the strong entity tag of a version. It is empty if the version has no tag, as those
// of other programs, or one that cannot stand in a header.
func ETag(e kvault.Entry) string {
	unfit := func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f }
	if e.Tag == "" || strings.ContainsFunc(e.Tag, unfit) {
		return ""
	}
	return `"` + e.Tag + `"`
}

// The policies of what a browser shows. Within "sandbox" it runs no script. A player asks for its
// video again, which same-origin policy allows only with an origin that is not opaque. Chromium
// shows no PDF in a sandbox; its own viewer runs the scripts of a PDF apart from every origin.
const (
	policyOfShown = "default-src 'none'; img-src 'self' data:; media-src 'self'; object-src 'self'; " +
		"style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
	policyOfMedia = "sandbox allow-same-origin; " + policyOfShown
	policyOfRest  = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
)

// shownImages are the images in which no script can be: SVG is not among them.
var shownImages = []string{
	"image/apng", "image/avif", "image/bmp", "image/gif", "image/heic", "image/heif", "image/jpeg",
	"image/jxl", "image/png", "image/tiff", "image/vnd.microsoft.icon", "image/webp", "image/x-icon",
}

// shownAs returns the content type and policy under which a value of the stored type goes out, and
// whether a browser may show it.
func shownAs(stored string) (contentType, policy string, shown bool) {
	media, parameters, err := mime.ParseMediaType(stored)
	switch {
	case err != nil || !strings.Contains(media, "/"):
		return "application/octet-stream", policyOfRest, false
	case media == "application/pdf":
		return stored, policyOfShown, true
	case media == "text/plain":
		if parameters["charset"] == "" {
			stored = "text/plain; charset=utf-8"
		}
		return stored, policyOfRest, true
	case strings.HasPrefix(media, "audio/"), strings.HasPrefix(media, "video/"),
		slices.Contains(shownImages, media):
		return stored, policyOfMedia, !strings.HasSuffix(media, "+xml")
	}
	return stored, policyOfRest, false
}

// maxFileName is the most bytes of a key that a file name has; Linux allows 255.
const maxFileName = 200

// Disposition returns the header Content-Disposition: kind is "inline" or "attachment", and the
// name of the file the last segment of key. What could leave a folder, break a line or turn the
// reading direction is an underscore in it. Of a long name it has the end.
func Disposition(kind, key string) string {
	name := key[strings.LastIndexByte(strings.TrimRight(key, "/"), '/')+1:]
	name = strings.Map(func(r rune) rune {
		if r == '\\' || r == '/' || r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, strings.TrimRight(name, "/"))
	for len(name) > maxFileName {
		_, size := utf8.DecodeRuneInString(name)
		name = name[size:]
	}
	if strings.Trim(name, ". ") == "" {
		name = "download"
	}
	return mime.FormatMediaType(kind, map[string]string{"filename": name})
}

// BreakOff ends an answer of which a part was sent already, so that the client does not take it for
// the whole: it closes the connection. err goes to the log. BreakOff does not return.
func BreakOff(w http.ResponseWriter, err error) {
	Note(w, err)
	panic(http.ErrAbortHandler)
}
