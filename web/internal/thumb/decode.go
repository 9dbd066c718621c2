package thumb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	// maxFile is the length of the largest file in bytes that is decoded.
	maxFile = 64 << 20
	// maxPixels and maxSide bound the images that are decoded.
	maxPixels = 50_000_000
	maxSide   = 1<<16 - 1
	// scaling is the memory that reducing an image takes, in bytes, whatever its size.
	scaling = 48 << 20
	// readAhead is how much is read of a value at once: each read looks the key up again.
	readAhead = 256 << 10
)

// decode makes the thumbnail of a value. The error of the thumbnail is final: the value is no
// image that can be shown. The other error is of the vault, or of ctx.
func decode(ctx context.Context, v *kvault.Vault, s *slots, of id) (thumbnail, error) {
	value, err := v.NewDetachedReader(ctx, of.key)
	if err != nil {
		return thumbnail{}, err
	}
	defer value.Close()
	if of.tag != value.Entry().Tag {
		return thumbnail{}, kvault.ErrTagMismatch
	}
	r := &source{r: value}
	img, err := r.image(ctx, s, of.size)
	switch {
	case r.err != nil:
		return thumbnail{}, r.err
	case ctx.Err() != nil:
		return thumbnail{}, ctx.Err()
	case err != nil:
		return thumbnail{err: &wire.Error{Status: http.StatusUnsupportedMediaType,
			Text: "there is no thumbnail of this value", Cause: err}}, nil
	}
	return encode(img)
}

// source reads a value and remembers an error of the vault, to tell it from those of decoders.
type source struct {
	r   *kvault.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// rewound returns a reader of the whole value.
func (s *source) rewound() *bufio.Reader {
	if _, err := s.r.Seek(0, io.SeekStart); err != nil {
		s.err = err
	}
	return bufio.NewReaderSize(s, readAhead)
}

// maxScans is how many scans a JPEG may have. Each costs a pass over the whole image, however few
// bytes it has; cameras and programs make up to some twenty.
const maxScans = 100

// scans passes bytes on and counts the markers that begin a scan, which nothing else in a scan can
// look like.
type scans struct {
	r     io.Reader
	last  byte
	count int
}

func (s *scans) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	for _, c := range p[:n] {
		if s.last == 0xFF && c == 0xDA {
			s.count++
		}
		s.last = c
	}
	if s.count > maxScans {
		return 0, errors.New("it has too many scans")
	}
	return n, err
}

// image decodes the value and reduces it, once there is memory for that.
func (s *source) image(ctx context.Context, room *slots, size int) (*image.RGBA, error) {
	if s.r.Size() > maxFile {
		return nil, fmt.Errorf("a file of %d bytes is too large", s.r.Size())
	}
	config, format, err := image.DecodeConfig(s.rewound())
	if err != nil {
		return nil, err
	}
	w, h := int64(config.Width), int64(config.Height)
	if w < 1 || h < 1 || w > maxSide || h > maxSide || w*h > maxPixels {
		return nil, fmt.Errorf("an image of %d by %d pixels is empty or too large", w, h)
	}
	head := jpegHead{orientation: 1}
	if format == "jpeg" {
		head = readJPEGHead(s.rewound())
	}
	perPixel, err := memoryPerPixel(format, config.ColorModel, head)
	if err != nil {
		return nil, err
	}
	memory := int64(perPixel*float64(w*h)) + scaling
	if memory > unit*units {
		return nil, fmt.Errorf("an image of %d by %d pixels takes too much memory", w, h)
	}
	release, err := room.take(ctx, memory)
	if err != nil {
		return nil, err
	}
	defer release()
	decoded := io.Reader(s.rewound())
	if format == "jpeg" {
		decoded = &scans{r: decoded}
	}
	img, _, err := image.Decode(decoded)
	if err != nil {
		return nil, err
	}
	return turned(reduced(img, size), head.orientation), nil
}

// memoryPerPixel returns what a decoder takes for each pixel, in bytes, or somewhat more.
func memoryPerPixel(format string, model color.Model, head jpegHead) (float64, error) {
	switch format {
	case "jpeg":
		return head.memoryPerPixel(), nil
	case "png": // An interlaced one is held one and a half times.
		if model == color.NRGBA64Model || model == color.RGBA64Model || model == color.Gray16Model {
			return 8 * 1.5, nil
		}
		return 4 * 1.5, nil
	case "gif":
		return 2, nil
	case "webp": // The alpha channel is decoded as an image of its own.
		return 8, nil
	}
	return 0, errors.New("thumbnails are made of JPEG, PNG, GIF and WebP") // another program's format
}

// reduced returns the image with its longest side at most size. The first of two steps samples a
// few pixels for each that it makes, which is many times faster than averaging all of a photo.
func reduced(img image.Image, size int) *image.RGBA {
	for _, step := range []struct {
		scaler draw.Scaler
		side   int
	}{{draw.ApproxBiLinear, 4 * size}, {draw.CatmullRom, size}} {
		if to := fit(img.Bounds(), step.side); to != img.Bounds() {
			smaller := image.NewRGBA(to)
			step.scaler.Scale(smaller, to, img, img.Bounds(), draw.Src, nil)
			img = smaller
		}
	}
	if done, ok := img.(*image.RGBA); ok {
		return done
	}
	done := image.NewRGBA(fit(img.Bounds(), size))
	draw.Draw(done, done.Bounds(), img, img.Bounds().Min, draw.Src)
	return done
}

// fit returns the bounds with the same shape whose longest side is at most size, and no side 0.
func fit(b image.Rectangle, size int) image.Rectangle {
	w, h := b.Dx(), b.Dy()
	if longest := max(w, h); longest > size {
		w, h = max(1, w*size/longest), max(1, h*size/longest)
	}
	return image.Rect(0, 0, w, h)
}

// encode makes a JPEG, or a PNG if the image is transparent somewhere.
func encode(img *image.RGBA) (thumbnail, error) {
	var b bytes.Buffer
	if img.Opaque() {
		err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80})
		return thumbnail{contentType: "image/jpeg", data: b.Bytes()}, err
	}
	err := png.Encode(&b, img)
	return thumbnail{contentType: "image/png", data: b.Bytes()}, err
}
