package browser

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/kohakuvault/kvault"
)

// choose presses the button of the dialog that is open.
func (b *tab) choose(value string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`#dialog button[data-choice="%s"]`, value))
	b.until(`!document.querySelector("#dialog")`)
}

// eventually waits until the vault has, or has not, a value under key.
func (s *site) eventually(t *testing.T, key, want string, there bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got, err := s.v.Get(context.Background(), key)
		if there && err == nil && string(got) == want || !there && errors.Is(err, kvault.ErrNotFound) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q has %d bytes (%v), wanted there: %v", key, len(got), err, there)
		}
	}
}

func few(ctx context.Context, v *kvault.Vault) error {
	for _, key := range []string{"a.txt", "b.txt", "folder/c.txt", "folder/deep/d.txt"} {
		if err := v.Put(ctx, key, []byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// pick selects the entry with that name.
func (b *tab) pick(name string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`//*[contains(@class,"item")][.//bdi[starts-with(., "%s")]]//input[contains(@class,"pick-box")]`, name))
}

func TestRename(t *testing.T) {
	s := serve(t, nil, few)
	b := s.open(t, "/")
	b.pick("a.txt")
	b.do(chromedp.KeyEvent(kb.F2))
	b.until(`document.querySelector("#dialog input")`)
	b.do(chromedp.SetValue("#dialog input[type=text]", "z é.txt"))
	b.choose("rename")
	s.eventually(t, "z é.txt", "a.txt", true)
	s.eventually(t, "a.txt", "", false)
	// A name that is taken is refused in the dialog, and both values stay.
	b.until(`document.querySelector("#list").textContent.includes("z é.txt")`)
	b.expected = []string{"412"} // Chromium logs the refusal
	b.pick("z é.txt")
	b.do(chromedp.KeyEvent(kb.F2))
	b.until(`document.querySelector("#dialog input")`)
	b.do(chromedp.SetValue("#dialog input[type=text]", "b.txt"))
	b.click(`#dialog button[data-choice="rename"]`)
	b.until(`document.querySelector("#dialog .error").textContent !== ""`)
	b.click("#dialog-cancel")
	s.eventually(t, "b.txt", "b.txt", true)
	s.eventually(t, "z é.txt", "a.txt", true)
}

func TestCopyFolder(t *testing.T) {
	s := serve(t, nil, few)
	b := s.open(t, "/")
	b.pick("folder")
	b.click(`//button[normalize-space(.)="Copy"]`)
	b.until(`document.querySelector("#dialog input")`)
	b.do(chromedp.SetValue("#dialog input[type=text]", "copies/"))
	b.choose("copy")
	s.eventually(t, "copies/folder/deep/d.txt", "folder/deep/d.txt", true)
	s.eventually(t, "folder/c.txt", "folder/c.txt", true)
}

// Nothing is deleted without a question, and then only what it named.
func TestDelete(t *testing.T) {
	s := serve(t, nil, few)
	b := s.open(t, "/")
	b.pick("folder")
	b.pick("b.txt")
	b.do(chromedp.KeyEvent(kb.Delete))
	b.until(`document.querySelector("#dialog .names")`)
	b.click("#dialog-cancel")
	s.eventually(t, "b.txt", "b.txt", true)
	b.click(`//button[normalize-space(.)="Delete"]`)
	b.until(`document.querySelector("#dialog .names").textContent.includes("b.txt")`)
	b.choose("delete")
	s.eventually(t, "b.txt", "", false)
	s.eventually(t, "folder/deep/d.txt", "", false)
	s.eventually(t, "a.txt", "a.txt", true)
}

// A move that stops at one entry names it, and goes on there: those before it have moved.
func TestMoveGoesOn(t *testing.T) {
	s := serve(t, nil, few)
	if err := s.v.Put(t.Context(), "to/b.txt", []byte("in the way")); err != nil {
		t.Fatal(err)
	}
	b := s.open(t, "/")
	b.expected = []string{"412"} // Chromium logs the refusal
	b.pick("a.txt")
	b.pick("b.txt")
	b.click(`//button[normalize-space(.)="Move"]`)
	b.until(`document.querySelector("#dialog input")`)
	b.do(chromedp.SetValue("#dialog input[type=text]", "to/"))
	b.click(`#dialog button[data-choice="rename"]`)
	b.until(`document.querySelector("#dialog .error").textContent.startsWith("b.txt: ")`)
	s.eventually(t, "to/a.txt", "a.txt", true)
	if _, err := s.v.Delete(t.Context(), "to/b.txt"); err != nil {
		t.Fatal(err)
	}
	b.choose("rename")
	s.eventually(t, "to/b.txt", "b.txt", true)
	s.eventually(t, "b.txt", "", false)
}
