package page

import (
	"bytes"
	"context"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/contenttype"
	"github.com/kohakuvault/kvault/web/internal/preview"
)

// modeLabels are the ways to show a value.
var modeLabels = map[string]string{
	"image": "Image", "video": "Video", "audio": "Audio", "pdf": "PDF",
	"rendered": "Preview", "tree": "Tree", "text": "Text", "hex": "Hex",
}

// modesOf returns the ways to show a value, the best first. The last is always "hex". Of a value
// whose stored type says nothing, its key and its first bytes do.
func (h *Handler) modesOf(ctx context.Context, e kvault.Entry) ([]string, error) {
	media := mediaOf(e.ContentType)
	if media == "" || media == "application/octet-stream" {
		media = mediaOf(contenttype.ByName(e.Key))
	}
	var head []byte
	if media == "" {
		var err error
		if head, err = h.v.GetRange(ctx, e.Key, 0, contenttype.Sniffed); err != nil {
			return nil, err
		}
		media = mediaOf(contenttype.ByContent(head))
	}
	major, minor, _ := strings.Cut(media, "/")
	switch {
	case media == "image/svg+xml":
		return []string{"image", "text", "hex"}, nil
	case major == "image", major == "video", major == "audio":
		return []string{major, "hex"}, nil
	case media == "application/pdf" && mediaOf(e.ContentType) == media: // another is a download
		return []string{"pdf", "hex"}, nil
	case preview.IsMarkdown(e.ContentType, e.Key):
		return []string{"rendered", "text", "hex"}, nil
	case minor == "json" || strings.HasSuffix(minor, "+json"):
		return []string{"tree", "text", "hex"}, nil
	case major == "text" || isTextual(minor):
		return []string{"text", "hex"}, nil
	}
	if head == nil {
		var err error
		if head, err = h.v.GetRange(ctx, e.Key, 0, contenttype.Sniffed); err != nil {
			return nil, err
		}
	}
	if looksLikeText(head) {
		return []string{"text", "hex"}, nil
	}
	return []string{"hex", "text"}, nil
}

func mediaOf(contentType string) string {
	media, _, _ := mime.ParseMediaType(contentType)
	return media
}

// isTextual reports whether a minor type of "application" is text.
func isTextual(minor string) bool {
	words := []string{"json", "xml", "javascript", "yaml", "toml", "sql", "x-sh", "graphql"}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(minor, word) })
}

// looksLikeText reports whether head begins a text in UTF-8: it may break off within a character.
func looksLikeText(head []byte) bool {
	if len(head) > 0 && !utf8.FullRune(head[lastRune(head):]) {
		head = head[:lastRune(head)]
	}
	return utf8.Valid(head) && bytes.IndexFunc(head, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\n\r\f\x1b", r)
	}) < 0
}

// lastRune is where the last character of text begins, which may be incomplete.
func lastRune(text []byte) int {
	at := len(text) - 1
	for at > 0 && len(text)-at < utf8.UTFMax && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}
