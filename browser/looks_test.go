package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

// pages are what is photographed, and held against the rules of accessibility.
var pages = []struct{ name, path, ready string }{
	{"search", "/?q=img", `document.querySelector("#unsearch")`},
	{"view-video", "/view/photos/portraits/clip.webm", `document.querySelector("#media").readyState >= 1`},
	{"folder", "/", `document.querySelectorAll("#list .item").length === 3`},
	{"folder-grid", "/b/photos/2026/?view=grid", `[...document.querySelectorAll("#list img")].slice(0, 6).every(i => i.complete && i.naturalWidth)`},
	{"folder-kinds", "/b/kinds/", `document.querySelectorAll("#list .item").length === 11`},
	{"view-jpg", "/view/photos/2026/IMG_0003.jpg", `document.querySelector("#image").complete`},
	{"view-text", "/view/kinds/notes.txt", `document.querySelector("#text")`},
	{"view-markdown", "/view/kinds/readme.md", `document.querySelector("iframe")`},
	{"view-json", "/view/kinds/data.json", `document.querySelector("#tree")`},
	{"view-hex", "/view/kinds/random.bin", `document.querySelector("#text")`},
	{"view-audio", "/view/kinds/tone.wav", `document.querySelector("#media")`},
	{"columns", "/columns", `document.querySelector(".column")`},
	{"column", "/columns/measures/waves", `document.querySelector("#plot canvas")`},
	{"delete", "/delete/welcome.txt", `document.querySelector("form[method=post]")`},
	{"missing", "/view/nothing", `document.querySelector("main")`},
}

func TestLooks(t *testing.T) {
	if *axe == "" {
		t.Fatal("-axe is missing; README.md says how to get it")
	}
	rules, err := os.ReadFile(*axe)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil, sample)
	if err := s.v.Put(t.Context(), "photos/portraits/clip.webm", video(t)); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			b := s.open(t, p.path)
			if p.name == "missing" {
				b.expected = []string{"404"}
			}
			b.until(p.ready)
			b.look(p.name, string(rules))
		})
	}
	t.Run("dialog", func(t *testing.T) {
		b := s.open(t, "/")
		b.click(".act.delete")
		b.until(`document.querySelector("#dialog[open]")`)
		b.look("dialog", string(rules))
	})
	t.Run("view-read-only", func(t *testing.T) {
		s := serve(t, &web.Options{ReadOnly: true}, few)
		s.open(t, "/view/a.txt").look("view-read-only", string(rules))
	})
}

// look photographs the page, and holds it against the rules of accessibility.
func (b *tab) look(name, rules string) {
	b.t.Helper()
	for _, width := range []int64{360, 768, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.do(chromedp.EmulateViewport(width, 800))
			call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			b.until(fmt.Sprintf(`document.documentElement.scrollWidth <= %d`, width))
			b.photograph(fmt.Sprintf("%s-%d-%s", name, width, scheme))
			if width != 768 {
				b.checkRules(rules, fmt.Sprintf("%d %s", width, scheme))
			}
		}
	}
}

func (b *tab) photograph(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	time.Sleep(300 * time.Millisecond) // for transitions
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(*screenshots, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, name+".png"), shot, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// checkRules fails for what axe-core calls serious or critical.
func (b *tab) checkRules(rules, when string) {
	b.t.Helper()
	// The page's policy allows no script but its own; the browser's interface is above it.
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void]("void (() => {"+rules+"})()")); err != nil {
		b.t.Fatal(err)
	}
	found := eval[string](b, `axe.run(document, {resultTypes: ["violations"], iframes: false}).then(r => JSON.stringify(
		r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html).slice(0, 3)}))))`)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s (%s): %q", when, v.Help, v.ID, v.Nodes)
	}
}

// TestFirstPaint tells how soon a folder of 10,000 photos is painted. The time fails no test.
func TestFirstPaint(t *testing.T) {
	s := serve(t, nil, func(ctx context.Context, v *kvault.Vault) error {
		content := photo(320, 240, 1)
		return v.WithCache(ctx, nil, func() error {
			for i := range 10_000 {
				if err := v.Put(ctx, fmt.Sprintf("photos/%05d.jpg", i), content); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b := s.open(t, "/b/photos/?view=grid")
	b.until(`performance.getEntriesByName("first-contentful-paint").length`)
	t.Logf("first paint after %.0f ms", eval[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
	b.until(`[...document.querySelectorAll("#list img")].slice(0, 8).every(i => i.complete && i.naturalWidth)`)
	t.Logf("the first thumbnails after %.0f ms", eval[float64](b, `performance.now()`))
}
