package browser

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestViews opens a value of each kind.
func TestViews(t *testing.T) {
	s := serve(t, nil, sample)
	for _, tt := range []struct{ name, shown string }{
		{"picture.png", `document.querySelector("#image").naturalWidth === 640`},
		{"picture.jpg", `document.querySelector("#image").naturalWidth === 1600`},
		{"picture.gif", `document.querySelector("#image").naturalWidth === 320`},
		{"drawing.svg", `document.querySelector("#image").naturalWidth === 200`},
		{"tone.wav", `document.querySelector("audio#media").duration === 10`},
		{"paper.pdf", `document.querySelector("iframe#document")`},
		{"notes.txt", `document.querySelector("#text").textContent.startsWith("A line of text")`},
		{"readme.md", `document.querySelector("iframe#document").contentDocument.querySelector("h1").textContent === "Heading"`},
		{"data.json", `document.querySelector("#tree").textContent.includes("nested")`},
		{"random.bin", `document.querySelector("#text.hex").textContent.includes("00000010")`},
		{hostile, `document.querySelector("#text").textContent.includes("<script>alert")`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := s.open(t, "/view/kinds/"+url.PathEscape(tt.name))
			b.until(tt.shown)
			if got := eval[string](b, `document.querySelector("#detail-key").textContent`); !strings.Contains(got, tt.name) {
				t.Errorf("the key is shown as %q", got)
			}
			if !eval[bool](b, `document.querySelector("#unshown") === null || document.querySelector("#unshown").hidden`) {
				t.Error("the page says that the browser cannot show it")
			}
		})
	}
}

// Markdown is shown in a frame whose document runs nothing.
func TestMarkdownRunsNothing(t *testing.T) {
	b := serve(t, nil, sample).open(t, "/view/kinds/readme.md")
	b.until(`document.querySelector("iframe#document").contentDocument.querySelector("li")`)
	if n := eval[int](b, `document.querySelector("iframe#document").contentDocument.querySelectorAll("script").length`); n != 0 {
		t.Errorf("%d scripts", n)
	}
}

func TestVideoSeeks(t *testing.T) {
	s := serve(t, nil, sample)
	if err := s.v.Put(t.Context(), "kinds/clip.webm", video(t)); err != nil {
		t.Fatal(err)
	}
	b := s.open(t, "/view/kinds/clip.webm")
	b.until(`document.querySelector("video#media").readyState >= 1`)
	if d := eval[float64](b, `document.querySelector("#media").duration`); d < 9 || d > 11 {
		t.Errorf("it takes %v s", d)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`void (document.querySelector("#media").currentTime = 7)`))
	b.until(`!document.querySelector("#media").seeking && document.querySelector("#media").readyState >= 2`)
	if at := eval[float64](b, `document.querySelector("#media").currentTime`); at < 6.9 || at > 7.1 {
		t.Errorf("it is at %v s", at)
	}
}

func TestZoom(t *testing.T) {
	b := serve(t, nil, sample).open(t, "/view/kinds/picture.jpg")
	b.until(`document.querySelector("#image").complete && document.querySelector("#zoom-level").textContent`)
	fit := eval[float64](b, `document.querySelector("#image").getBoundingClientRect().width`)
	b.click("#zoom-full")
	b.until(`Math.abs(document.querySelector("#image").getBoundingClientRect().width - 1600) < 2`)
	b.click("#zoom-fit")
	b.until(fmt.Sprintf(`Math.abs(document.querySelector("#image").getBoundingClientRect().width - %v) < 2`, fit))
}

func TestNextAndPrevious(t *testing.T) {
	b := serve(t, nil, sample).open(t, "/view/photos/2026/IMG_0002.jpg")
	b.click("#next")
	b.arrive(`location.pathname.endsWith("IMG_0003.jpg")`)
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`location.pathname.endsWith("IMG_0002.jpg")`)
}

// TestMetadata changes the type and an entry of a value, which keeps its bytes.
func TestMetadata(t *testing.T) {
	s := serve(t, nil, sample)
	b := s.open(t, "/view/welcome.txt")
	b.do(chromedp.SetValue("#meta-type", "text/x-greeting"))
	b.do(chromedp.SetValue(`#metadata input[name="name"]`, "lang"), chromedp.SetValue(`#metadata textarea[name="value"]`, "en"))
	b.click("#save")
	deadline := time.Now().Add(10 * time.Second)
	for {
		item, err := s.v.GetItem(t.Context(), "welcome.txt")
		if err != nil {
			t.Fatal(err)
		}
		if item.ContentType == "text/x-greeting" && item.User["lang"] == "en" && string(item.Value) == "Hello.\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v\n%s", item, b.where())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestPlot plots a column, zooms, and reads its table.
func TestPlot(t *testing.T) {
	s := serve(t, nil, sample)
	b := s.open(t, "/columns")
	b.click(`//a[contains(., "waves")]`)
	b.arrive(`document.querySelector("#plot canvas")`)
	b.until(`document.querySelector("#summary-max dd").textContent === "4"`)
	b.until(`document.querySelectorAll("#histogram tbody tr").length > 0`)
	b.until(`document.querySelector("#plot-range").textContent !== ""`)
	before := eval[string](b, `document.querySelector("#plot-range").textContent`)
	b.click("#plot-in")
	b.until(fmt.Sprintf(`document.querySelector("#plot-range").textContent !== %q`, before))
	if first := eval[string](b, `document.querySelector("#values tbody td").textContent`); first != "0.0" && first != "0" {
		t.Errorf("the first value is shown as %q", first)
	}
}
