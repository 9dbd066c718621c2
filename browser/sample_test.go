package browser

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// hostile is a name that is markup, and HTML that runs a script where it is taken for a page.
const (
	hostile     = `<img src=x onerror=alert(1)>.html`
	hostileHTML = `<!doctype html><script>alert(document.cookie)</script><p>harmless text</p>`
)

// kinds are a value of each kind that the page shows in its own way.
var kinds = map[string]func() []byte{
	"picture.png": func() []byte {
		return drawn(640, 480, 1, func(w *bytes.Buffer, m image.Image) error { return png.Encode(w, m) })
	},
	"picture.jpg": func() []byte { return photo(1600, 1200, 2) },
	"picture.gif": func() []byte {
		return drawn(320, 240, 3, func(w *bytes.Buffer, m image.Image) error { return gif.Encode(w, m, nil) })
	},
	"tone.wav":  tone,
	"paper.pdf": paper,
	"notes.txt": func() []byte { return bytes.Repeat([]byte("A line of text, and more of it.\n"), 400) },
	"readme.md": func() []byte {
		return []byte("# Heading\n\nSome *text*.\n\n- one\n- two\n\n<script>alert(2)</script>\n")
	},
	"data.json": func() []byte {
		return []byte(`{"name": "kvault", "numbers": [1, 2.5, -3], "nested": {"yes": true, "no": null}}`)
	},
	"random.bin": func() []byte { return noise(10_000) },
	"drawing.svg": func() []byte {
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"><script>alert(3)</script><circle cx="100" cy="100" r="80" fill="teal"/></svg>`)
	},
	hostile: func() []byte { return []byte(hostileHTML) },
}

// sample fills a vault with folders, a value of each kind, and columns.
func sample(ctx context.Context, v *kvault.Vault) error {
	for name, content := range kinds {
		if err := v.Put(ctx, "kinds/"+name, content()); err != nil {
			return err
		}
	}
	for i := range 24 {
		if err := v.Put(ctx, fmt.Sprintf("photos/2026/IMG_%04d.jpg", i+1), photo(800, 600, i)); err != nil {
			return err
		}
	}
	for i := range 5 {
		if err := v.Put(ctx, fmt.Sprintf("photos/portraits/face %d.jpg", i+1), photo(600, 800, 40+i)); err != nil {
			return err
		}
	}
	if err := v.Put(ctx, "welcome.txt", []byte("Hello.\n")); err != nil {
		return err
	}
	waves, err := column.Create(ctx, v, "measures/waves", column.Float64, nil)
	if err != nil {
		return err
	}
	values := make([]float64, 50_000)
	for i := range values {
		values[i] = math.Sin(float64(i)/900) * math.Exp(-float64(i)/40_000)
	}
	values[31_234] = 4 // a peak that no downsampling may lose
	return waves.Extend(ctx, values)
}

// video makes a video of ten seconds, with a frame to begin from in each.
func video(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.webm")
	out, err := exec.Command("ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=duration=10:size=320x240:rate=10",
		"-c:v", "libvpx", "-g", "10", "-b:v", "300k", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg makes no video; README.md says what the tests need: %v: %s", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func photo(w, h, seed int) []byte {
	return drawn(w, h, seed, func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) })
}

// drawn is a landscape of hills below a sky, of which each seed has another.
func drawn(w, h, seed int, encode func(*bytes.Buffer, image.Image) error) []byte {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	f := func(x int, k float64) float64 {
		u := float64(x)/float64(w)*6 + float64(seed)*1.7
		return math.Sin(u*k) + 0.5*math.Sin(u*k*2.3+float64(seed))
	}
	for x := range w {
		for y := range h {
			v := float64(y) / float64(h)
			c := color.RGBA{uint8(90 + 120*v + 10*float64(seed%5)), uint8(140 + 70*v), uint8(230 - 60*v), 255}
			for layer := range 3 {
				top := 0.45 + 0.15*float64(layer) + 0.06*f(x, 0.6+0.5*float64(layer))
				if v > top {
					shade := 1 - 0.22*float64(layer)
					c = color.RGBA{uint8(shade * float64(60+(seed*37)%90)), uint8(shade * float64(110+(seed*53)%70)), uint8(shade * float64(70+(seed*29)%80)), 255}
				}
			}
			m.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// tone is ten seconds of a quiet tone.
func tone() []byte {
	const rate, seconds = 8000, 10
	var b bytes.Buffer
	b.WriteString("RIFF")
	binary.Write(&b, binary.LittleEndian, uint32(36+rate*seconds*2))
	b.WriteString("WAVEfmt ")
	for _, x := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate * 2), uint16(2), uint16(16)} {
		binary.Write(&b, binary.LittleEndian, x)
	}
	b.WriteString("data")
	binary.Write(&b, binary.LittleEndian, uint32(rate*seconds*2))
	for i := range rate * seconds {
		binary.Write(&b, binary.LittleEndian, int16(2000*math.Sin(float64(i)*2*math.Pi*440/rate)))
	}
	return b.Bytes()
}

// paper is a PDF of one page.
func paper() []byte {
	var b bytes.Buffer
	var offsets []int
	object := func(body string) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), body)
	}
	b.WriteString("%PDF-1.4\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	object("<</Type/Pages/Kids[3 0 R]/Count 1>>")
	object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>")
	text := "BT /F 24 Tf 40 100 Td (A paper) Tj ET"
	object(fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(text), text))
	object("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, table)
	return b.Bytes()
}

// noise is bytes that mean nothing, the same in each run.
func noise(n int) []byte {
	p, x := make([]byte, n), uint32(1)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}
