package thumb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// bombPNG says that it has w by h pixels, and has data for none.
func bombPNG(w, h uint32, depth byte) []byte {
	header := slices.Concat(
		[]byte("IHDR"),
		binary.BigEndian.AppendUint32(nil, w),
		binary.BigEndian.AppendUint32(nil, h),
		[]byte{depth, 6, 0, 0, 0},
	)
	return slices.Concat(
		[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"),
		header,
		binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(header)),
	)
}

// bombWebP says that it has one pixel, and is many.
func bombWebP() []byte {
	canvas := "VP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	frame := "VP8L\x06\x00\x00\x00\x2f\xff\xff\xff\x0f\x00"
	return []byte(
		"RIFF" + string(
			binary.LittleEndian.AppendUint32(nil, uint32(4+len(canvas)+len(frame))),
		) + "WEBP" + canvas + frame,
	)
}

// bombJPEG says that it has w by h pixels in three colours, none of them sampled less.
func bombJPEG(kind byte, w, h uint16) []byte {
	frame := slices.Concat(
		[]byte{0xFF, 0xD8, 0xFF, kind, 0, 17, 8},
		binary.BigEndian.AppendUint16(nil, h),
		binary.BigEndian.AppendUint16(nil, w),
		[]byte{3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0},
		[]byte("\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00"), // pixels follow
	)
	return frame
}

// gifHead begins a GIF file with a screen of w by h pixels, and a frame of fw by fh.
func gifHead(w, h, fw, fh uint16) []byte {
	size := func(w, h uint16) []byte {
		return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, w), h)
	}
	return slices.Concat([]byte("GIF89a"), size(w, h), []byte("\x00\x00\x00,\x00\x00\x00\x00"),
		size(fw, fh), []byte{0, 8})
}

// scanned repeats the only scan of a JPEG: each costs a pass over the image.
func scanned(photo []byte, n int) []byte {
	start := bytes.Index(photo, []byte{0xFF, 0xDA})
	end := len(photo) - 2
	return slices.Concat(photo[:start], bytes.Repeat(photo[start:end], n), photo[end:])
}

// Nothing of a file is decoded that says it is too large, and what is broken has no thumbnail. The
// client learns neither why.
func TestHostileImages(t *testing.T) {
	v, _, server := open(t, access.Everything(false))
	photo := asJPEG(t, picture(400, 300))
	shot := asPNG(t, picture(400, 300))
	for _, test := range []struct {
		key   string
		value []byte
		cause string // what the log gets
	}{
		{"png of 60,000 by 60,000", bombPNG(60_000, 60_000, 8), "empty or too large"},
		{"png of 70,000 by 1", bombPNG(70_000, 1, 8), "empty or too large"},
		{"png with 16 bits", bombPNG(7000, 7000, 16), "takes too much memory"},
		{"png without pixels", bombPNG(0, 0, 8), "png"},
		{"gif of 65,535 by 65,535", gifHead(65_535, 65_535, 65_535, 65_535), "empty or too large"},
		{"gif of 64 MP", gifHead(8000, 8000, 8000, 8000), "empty or too large"},
		{"gif with a frame outside", gifHead(1, 1, 65_535, 65_535), "frame bounds larger"},
		{"webp with a canvas of one", bombWebP(), "webp"},
		{"jpeg of 65,535 by 65,535", bombJPEG(0xC0, 65_535, 65_535), "empty or too large"},
		{"progressive jpeg, 49 MP", bombJPEG(0xC2, 7000, 7000), "takes too much memory"},
		{"baseline jpeg, 49 MP", bombJPEG(0xC0, 7000, 7000), "Huffman"},
		{"jpeg with many scans", scanned(photo, 200), "too many scans"},
		{"truncated jpeg", photo[:len(photo)/2], "Huffman"},
		{"truncated png", shot[:len(shot)/2], "not enough"},
		{"a header alone", photo[:4], "EOF"},
		{"an altered png", append(bytes.Clone(shot[:60]), shot[100:]...), "flate"},
		{"text.jpg", []byte("not an image"), "unknown format"},
		{"drawing.svg", []byte(`<svg onload="alert(1)"/>`), "unknown format"},
		{"page.html", []byte(`<script>alert(1)</script>`), "unknown format"},
		{"empty", nil, "unknown format"},
		{"none.webp", bytes.Repeat([]byte("RIFF\xff\xff\xff\xffWEBP"), 100), "unknown format"},
	} {
		put(t, v, test.key, test.value)
		resp, body := get(t, server, "/thumb/"+strings.ReplaceAll(test.key, " ", "%20"))
		if resp.StatusCode != http.StatusUnsupportedMediaType || len(body) > 100 ||
			resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %s, %v, %s", test.key, resp.Status, resp.Header, body)
		}
		e, err := v.Stat(t.Context(), test.key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(t.Context(), v, newSlots(), id{test.key, e.Tag, 256})
		if err != nil || got.err == nil || !strings.Contains(got.err.Cause.Error(), test.cause) {
			t.Errorf("%s: %v, %v", test.key, got.err.Unwrap(), err)
		}
	}
}

// A file may be larger than what is decoded, though it begins with an image.
func TestLargeFile(t *testing.T) {
	v, _, server := open(t, access.Everything(false))
	img := asPNG(t, picture(4, 4))
	r := io.MultiReader(bytes.NewReader(img), io.LimitReader(zeros{}, maxFile))
	if _, err := v.PutReader(t.Context(), "large.png", r, &kvault.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if resp, _ := get(t, server, "/thumb/large.png"); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Error(resp.Status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Photos of cameras are stored as the sensor lay.
func TestOrientation(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 32, 16)) // white, but for the quarter at the top left
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for y := range 8 {
		for x := range 16 {
			img.SetRGBA(x, y, color.RGBA{A: 255})
		}
	}
	plain := encoded(
		t,
		func(w io.Writer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: 100}) },
	)
	v, _, server := open(t, access.Everything(false))
	for o, dark := range map[byte]image.Point{1: {0, 0}, 2: {1, 0}, 3: {1, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 1}, 8: {0, 1}} {
		for name, tiff := range map[string]string{
			"little": "II\x2a\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string([]byte{o, 0, 0, 0}),
			"big":    "MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01" + string([]byte{0, o, 0, 0}),
		} {
			exif := "Exif\x00\x00" + tiff
			segment := append([]byte{0xFF, 0xE1, 0, byte(len(exif) + 2)}, exif...)
			put(t, v, "a.jpg", slices.Concat(plain[:2], segment, plain[2:]))
			_, body := get(t, server, "/thumb/a.jpg")
			got, err := jpeg.Decode(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			w, h := got.Bounds().Dx(), got.Bounds().Dy()
			if tall := h > w; tall != (o >= 5) {
				t.Errorf("orientation %d, %s endian: %d by %d", o, name, w, h)
			}
			for _, corner := range []image.Point{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
				lightness, _, _, _ := got.At(w/4+corner.X*w/2, h/4+corner.Y*h/2).RGBA()
				if isDark := lightness < 0x8000; isDark != (corner == dark) {
					t.Errorf("orientation %d, %s endian: the corner %v is dark: %v", o, name, corner, isDark)
				}
			}
		}
	}
}

// The head of a JPEG file may be anything, and says how much memory it needs.
func TestJPEGHead(t *testing.T) {
	if got := readJPEGHead(reader(bombJPEG(0xC2, 9, 9))); !got.progressive || got.samples != 3 {
		t.Errorf("progressive: %+v", got)
	}
	if got := readJPEGHead(reader(asJPEG(t, picture(40, 40)))); got.progressive || got.samples != 1.5 {
		t.Errorf("baseline: %+v", got)
	}
	photo := asJPEG(t, picture(40, 40))
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 { // It finds an end, without a panic.
		broken := bytes.Clone(photo[:random.IntN(len(photo))])
		for range 4 {
			if len(broken) > 2 {
				broken[2+random.IntN(min(len(broken)-2, 200))] = byte(random.Uint32())
			}
		}
		readJPEGHead(reader(broken))
		orientationOf(broken)
	}
}

// Decoding and reducing take no more memory than was reserved for them.
func TestMemory(t *testing.T) {
	const w, h = 500, 400
	for name, file := range map[string][]byte{
		"png with 16 bits": asPNG(t, image.NewNRGBA64(image.Rect(0, 0, w, h))),
		"png":              asPNG(t, picture(w, h)),
		"jpeg":             asJPEG(t, picture(w, h)),
		"gif":              encoded(t, func(to io.Writer) error { return gif.Encode(to, picture(w, h), nil) }),
	} {
		config, format, err := image.DecodeConfig(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		perPixel, err := memoryPerPixel(format, config.ColorModel, readJPEGHead(reader(file)))
		if err != nil {
			t.Fatal(err)
		}
		took := allocated(func() { _, _, err = image.Decode(bytes.NewReader(file)) })
		if reserved := uint64(perPixel*w*h) + 200<<10; err != nil || took > reserved {
			t.Errorf("%s: took %d KiB, reserved %d, %v", name, took>>10, reserved>>10, err)
		}
	}
	large := image.NewGray(image.Rect(0, 0, 4096, 4096))
	if took := allocated(func() { reduced(large, 512) }); took > scaling+2<<20 {
		t.Errorf("reducing took %d MiB", took>>20)
	}
}

func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func reader(file []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(file)) }
