package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

func TestBrowse(t *testing.T) {
	b := serve(t, nil, sample).open(t, "/")
	if got, want := b.names(), []string{"kinds", "photos", "welcome.txt"}; !slices.Equal(trimmed(got), want) {
		t.Errorf("the top has %q, want %q", got, want)
	}
	// What a folder comes to is fetched after the list.
	b.until(`document.querySelector("#list").innerText.includes("29 files")`)
	b.click(`//a[contains(@class,"open")][contains(., "photos")]`)
	b.arrive(`document.querySelectorAll(".crumbs li").length === 2`)
	b.click(`//a[contains(@class,"open")][contains(., "2026")]`)
	b.arrive(`document.querySelectorAll("#list .item").length === 24`)
	b.click("#view-grid")
	b.arrive(`document.querySelectorAll("#list.grid .item").length === 24`)
	b.until(`[...document.querySelectorAll("#list img")].slice(0, 4).every(i => i.complete && i.naturalWidth > 0)`)
	b.click("#view-list")
	b.arrive(`document.querySelectorAll("table#list .item").length === 24`)

	b.do(chromedp.SendKeys("#q", "0017"))
	b.until(`[...document.querySelectorAll("#list .item")].filter(i => i.offsetParent !== null).length === 1`)
}

// A column's heading sorts what is shown.
func TestSort(t *testing.T) {
	b := serve(t, nil, func(ctx context.Context, v *kvault.Vault) error {
		for i, name := range []string{"b", "a", "c"} {
			if err := v.Put(ctx, name, make([]byte, 10*(i+1))); err != nil {
				return err
			}
		}
		return nil
	}).open(t, "/")
	for _, tt := range []struct{ clicks, want string }{
		{"size", "b a c"}, {"size", "c a b"}, {"name", "a b c"}, {"name", "c b a"},
	} {
		b.click(fmt.Sprintf(`#list th[data-sort="%s"] button`, tt.clicks))
		if got := strings.Join(b.names(), " "); got != tt.want {
			t.Errorf("after a click on %s: %s, want %s", tt.clicks, got, tt.want)
		}
	}
}

// TestKeyboard goes from the top to a file and back without a mouse.
func TestKeyboard(t *testing.T) {
	b := serve(t, nil, sample).open(t, "/")
	b.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.Enter))
	b.arrive(`location.pathname === "/b/photos/"`)
	b.do(chromedp.KeyEvent("u"))
	b.arrive(`location.pathname === "/" || location.pathname === "/b/"`)
	b.do(chromedp.KeyEvent("?"))
	b.until(`document.querySelector("dialog[open]")`)
	// Keys of one character can be turned off there, on all pages.
	b.click("#single-keys")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector("dialog[open]")`)
	b.do(chromedp.KeyEvent("j"))
	if eval[bool](b, `document.activeElement.matches(".item .open")`) {
		t.Error("a key that is turned off moves the focus")
	}
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	b.until(`document.activeElement.matches(".item .open")`)
	b.visit("/b/photos/2026/")
	b.do(chromedp.KeyEvent("?"))
	if eval[bool](b, `document.querySelector("dialog[open]")`+" !== null") {
		t.Error("a key that is turned off opens the list of keys")
	}
}

// TestPages leads through a folder that does not fit on one page.
func TestPages(t *testing.T) {
	const files = 450
	b := serve(t, nil, func(ctx context.Context, v *kvault.Vault) error {
		// The value that keeps the folder is no file in it.
		if err := v.Put(ctx, "many/", nil); err != nil {
			return err
		}
		for i := range files {
			if err := v.Put(ctx, fmt.Sprintf("many/%04d.txt", i), nil); err != nil {
				return err
			}
		}
		return nil
	}).open(t, "/b/many/")
	for range 10 {
		if eval[bool](b, `!document.querySelector("#more")`) {
			break
		}
		before := len(b.names())
		b.click("#more")
		b.until(fmt.Sprintf(`document.querySelectorAll("#list .item").length !== %d || !document.querySelector("#more")`, before))
	}
	if got := b.names(); len(got) != files || !slices.IsSorted(got) {
		t.Errorf("%d names, sorted: %v", len(got), slices.IsSorted(got))
	}
}

// TestWithoutScript lists, opens, uploads and deletes where the browser runs no script.
func TestWithoutScript(t *testing.T) {
	s := serve(t, nil, sample)
	b := s.open(t, "/")
	b.plain = true
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.visit("/b/photos/")
	text, err := chromedp.Run(b.ctx, chromedp.Text("#list"))
	if err != nil || !strings.Contains(text, "portraits") {
		t.Fatalf("%q, %v", text, err)
	}
	b.do(chromedp.Click("#upload summary"))
	b.do(chromedp.SetUploadFiles("#files", []string{fileOf(t, "plain.txt", "without script")}))
	b.do(chromedp.Click("#upload-go"), chromedp.WaitVisible("#notice"))
	if got, err := s.v.Get(t.Context(), "photos/plain.txt"); err != nil || string(got) != "without script" {
		t.Errorf("uploaded: %q, %v", got, err)
	}
	b.do(chromedp.Click(`a.act.delete[href*="plain.txt"]`), chromedp.WaitVisible(`form[method="post"] button`),
		chromedp.Click(`form[method="post"] button`))
	b.do(chromedp.WaitVisible("#list"))
	if found, err := s.v.Exists(t.Context(), "photos/plain.txt"); found || err != nil {
		t.Errorf("deleted: %v, %v", !found, err)
	}
}

// TestReadOnly: a page that may change nothing offers no change.
func TestReadOnly(t *testing.T) {
	s := serve(t, &web.Options{ReadOnly: true}, sample)
	for _, path := range []string{"/", "/b/photos/2026/", "/view/welcome.txt"} {
		b := s.open(t, path)
		b.until(`document.querySelector("#main")`)
		if n := eval[int](b, `document.querySelectorAll("#upload, #new-folder, .act.delete, #delete, #rename, #copy, #save").length`); n != 0 {
			t.Errorf("%s offers %d changes", path, n)
		}
	}
}

func trimmed(names []string) []string {
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, "/")
	}
	return names
}
