package contenttype_test

import (
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/internal/contenttype"
)

func TestContentTypes(t *testing.T) {
	for name, want := range map[string]string{
		"photos/CAT.JPG": "image/jpeg", "home/.profile": "", "a.md/README": "", "x.unheard-of": "", "": "",
	} {
		if got := contenttype.ByName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for head, want := range map[string]string{
		"": "", "%PDF-1.7\n": "application/pdf", strings.Repeat("a", 1000) + "\x00": "text/plain; charset=utf-8",
	} {
		if got := contenttype.ByContent([]byte(head)); got != want {
			t.Errorf("%.10q: %q, want %q", head, got, want)
		}
	}
}
