package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/mem"
)

func fileOf(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func nothing(context.Context, *kvault.Vault) error { return nil }

// A vault in a bucket has no uploads that go on after a break: the page sends files to it in one go.
func TestUpload(t *testing.T) {
	t.Run("file", func(t *testing.T) { uploads(t, serve(t, nil, few), "412") })
	t.Run("bucket", func(t *testing.T) {
		v, err := kvault.New(mem.NewSingle(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		uploads(t, serveVault(t, v, nil, few), "412", "501")
	})
}

func uploads(t *testing.T, s *site, refusals ...string) {
	t.Helper()
	b := s.open(t, "/b/folder/")
	b.expected = refusals
	b.upload(fileOf(t, "new.txt", "new"), fileOf(t, "ünï.txt", "other"))
	s.eventually(t, "folder/new.txt", "new", true)
	s.eventually(t, "folder/ünï.txt", "other", true)
	b.until(`document.querySelector("#list").textContent.includes("ünï.txt")`)
	// A name that is taken is asked about.
	b.upload(fileOf(t, "c.txt", "replacement"))
	b.until(`document.querySelector('#dialog button[data-choice="replace"]')`)
	s.eventually(t, "folder/c.txt", "folder/c.txt", true)
	b.choose("both")
	s.eventually(t, "folder/c (2).txt", "replacement", true)
	s.eventually(t, "folder/c.txt", "folder/c.txt", true)
}

// upload hands files to the form, once its script runs.
func (b *tab) upload(paths ...string) {
	b.t.Helper()
	b.until(`document.querySelector("#choose-files")`)
	b.do(chromedp.SetUploadFiles("#files", paths, chromedp.NodeReady))
}

// TestUploadResumes pauses an upload, reloads the page, chooses the file again, and sees that only the
// rest is sent.
func TestUploadResumes(t *testing.T) {
	s := serve(t, nil, nothing)
	content := noise(24 << 20)
	path := fileOf(t, "large.bin", string(content))
	b := s.open(t, "/")
	s.slow.Store(true)
	b.upload(path)
	received := func() (at int64) {
		for u, err := range s.v.Uploads(context.Background(), "") {
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range u.Written {
				at += part.End - part.Start
			}
		}
		return at
	}
	for deadline := time.Now().Add(30 * time.Second); received() < 4<<20; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing arrives\n%s", b.where())
		}
	}
	b.click(`//button[normalize-space(.)="Pause" or @aria-label[starts-with(., "Pause")]]`)
	b.until(`document.body.innerText.includes("Paused")`)
	// The server still reads what had arrived before the browser closed the connection.
	for quiet, at := 0, int64(-1); quiet < 10; time.Sleep(50 * time.Millisecond) {
		if now := s.read.Load(); now == at {
			quiet++
		} else {
			quiet, at = 0, now
		}
	}
	before := received()
	s.slow.Store(false)
	s.read.Store(0)
	b.do(chromedp.Reload())
	b.until(ready)
	b.upload(path)
	s.eventually(t, "large.bin", string(content), true)
	missing := int64(len(content)) - before
	if sent := s.read.Load(); before == 0 || sent > missing+1<<20 {
		t.Errorf("%d bytes were sent again after the reload, of which %d were missing", sent, missing)
	}
}

// A paused upload that waits for its turn again, and is cancelled then, is not sent.
func TestUploadCancelled(t *testing.T) {
	s := serve(t, nil, nothing)
	content := string(noise(12 << 20))
	b := s.open(t, "/")
	s.slow.Store(true)
	var paths []string
	for _, name := range []string{"1.bin", "2.bin", "3.bin", "4.bin"} {
		paths = append(paths, fileOf(t, name, content))
	}
	b.upload(paths...)
	press := func(name, button string) {
		t.Helper()
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void [...document.querySelectorAll("#uploads-list li")]
			.find(li => li.textContent.startsWith(%q)).querySelector(%q).click()`, name, button)))
	}
	b.until(`document.querySelectorAll("#uploads-list li.running").length === 3`) // the fourth waits
	press("1.bin", ".pause")
	b.until(`document.querySelector("#uploads-list").textContent.includes("4.bin")`)
	press("1.bin", ".resume")
	press("1.bin", ".cancel")
	s.slow.Store(false)
	for _, name := range []string{"2.bin", "3.bin", "4.bin"} {
		s.eventually(t, name, content, true)
	}
	b.until(`document.querySelector("#uploads-title").textContent === "3 uploaded"`)
	b.until(`document.querySelectorAll("#uploads-list li.running").length === 0`)
	s.eventually(t, "1.bin", "", false)
}

// What is forgotten are the uploads that the notice names: those into this folder.
func TestForget(t *testing.T) {
	b := serve(t, nil, few).open(t, "/")
	b.do(chromedp.Evaluate[chromedp.Void](`void ["folder/here", "elsewhere"].forEach(
		key => localStorage.setItem("kvault-upload 1 1 " + key, "/up/1"))`))
	b.visit("/b/folder/")
	b.click("#forget")
	if left := eval[string](b, `Object.keys(localStorage).join()`); left != "kvault-upload 1 1 elsewhere" {
		t.Errorf("left are %s", left)
	}
}
