package thumb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// jpegHead is what the segments before the pixels of a JPEG file say.
type jpegHead struct {
	// orientation is that of EXIF, 1 to 8: 1 is upright.
	orientation int
	// progressive files are held as coefficients before they become pixels.
	progressive bool
	// samples is how many there are for each pixel in all colours: 1.5 in most photos, 0 if the
	// file does not say.
	samples float64
}

func (h jpegHead) memoryPerPixel() float64 {
	n := h.samples
	if n == 0 || n > 4 {
		n = 4
	}
	memory := n
	if n >= 3 { // RGB and CMYK are converted as a whole
		memory += 4
	}
	if h.progressive || h.samples == 0 {
		memory += 4 * n
	}
	return memory
}

// readJPEGHead reads up to the frame header. Of a file that breaks off, or is none, it returns what
// it has found.
func readJPEGHead(r *bufio.Reader) jpegHead {
	head := jpegHead{orientation: 1}
	if _, err := r.Discard(2); err != nil {
		return head
	}
	for {
		var marker [4]byte // 0xFF, the kind, the length with itself
		if _, err := io.ReadFull(r, marker[:1]); err != nil || marker[0] != 0xFF {
			return head
		}
		for marker[1] = 0xFF; marker[1] == 0xFF; { // Any number of them may stand before a kind.
			kind, err := r.ReadByte()
			if err != nil {
				return head
			}
			marker[1] = kind
		}
		if _, err := io.ReadFull(r, marker[2:]); err != nil {
			return head
		}
		segment := make([]byte, max(0, int(binary.BigEndian.Uint16(marker[2:]))-2))
		if _, err := io.ReadFull(r, segment); err != nil {
			return head
		}
		switch kind := marker[1]; {
		case kind == 0xE1:
			if tiff, found := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); found {
				head.orientation = orientationOf(tiff)
			}
		case kind >= 0xC0 && kind <= 0xC2:
			head.progressive = kind == 0xC2
			head.samples = samplesOf(segment)
			return head
		}
	}
}

// samplesOf reads the sampling factors of a frame header.
func samplesOf(frame []byte) float64 {
	if len(frame) < 6 {
		return 0
	}
	sum, most := 0, 0
	for c := frame[6:]; len(c) >= 3; c = c[3:] {
		n := int(c[1]>>4) * int(c[1]&15)
		sum, most = sum+n, max(most, n)
	}
	if most == 0 {
		return 0
	}
	return float64(sum) / float64(most)
}

// orientationOf finds the entry of the first directory that says how the camera was held.
func orientationOf(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(tiff) < 8 {
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			break
		}
		entries = entries[12:]
	}
	return 1
}

// turned returns the image as it was seen, upright.
func turned(img *image.RGBA, orientation int) *image.RGBA {
	if orientation == 1 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	upright := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			// By the standard: where row 0 and column 0 of the stored image are seen.
			to := [...]image.Point{2: {w - 1 - x, y}, 3: {w - 1 - x, h - 1 - y}, 4: {x, h - 1 - y},
				5: {y, x}, 6: {h - 1 - y, x}, 7: {h - 1 - y, w - 1 - x}, 8: {y, w - 1 - x}}[orientation]
			upright.SetRGBA(to.X, to.Y, img.RGBAAt(img.Rect.Min.X+x, img.Rect.Min.Y+y))
		}
	}
	return upright
}
