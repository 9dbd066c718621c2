package column_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// FuzzDecode gives arbitrary bytes to every codec. Each is a known error, or an element whose
// encoded form stays what it is from then on.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "\x00", "abc\x00", "\xc3\xa9", "\x3d\xd8\x00\xde", "\x01\x01\x02\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x20\x40", "\x05\x00\x07",
		"\x82\xa2aa\x82\xa2yy\x91\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa1z\xc0\xa1b\x01", "\xde\x00\x01\xa1a\xd6\xff\x00\x00\x00\x01",
		"\xa2\x62aa\xa2\x62yy\x81\xf9\x3e\x00\x61z\xf6\x61b\x01", "\x9f\x01\xc1\x1a\x00\x00\x00\x01\xff", "\xc3\x4200", "\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range []column.Encoding{column.UTF8, column.UTF16LE, column.UTF16BE, column.ASCII, column.Latin1} {
			decodes(t, column.Text(e), b)
			if len(b) > 0 {
				decodes(t, column.FixedText(len(b), e), b)
			}
		}
		decodes(t, column.Vector[float32](max(1, len(b)/4)), b)
		decodes(t, column.Vector[uint8](max(1, len(b)-1)), b)
		decodes(t, column.Tensors[float64](), b)
		decodes(t, column.Tensors[int16](), b)
		decodes(t, column.MessagePack[any](), b)
		decodes(t, column.MessagePack[photo](), b)
		decodes(t, column.MessagePack[map[int]*[]string](), b)
		decodes(t, column.CBOR[any](), b)
		decodes(t, column.CBOR[photo](), b)
		decodes(t, column.CBOR[map[int]*[]string](), b)
		if len(b) > 0 {
			decodes(t, column.FixedMessagePack[any](len(b)), b)
			decodes(t, column.FixedCBOR[any](len(b)), b)
		}
	})
}

func decodes[T any](t *testing.T, c column.Codec[T], b []byte) {
	t.Helper()
	in := bytes.Clone(b)
	x, err := c.Decode(in)
	if !bytes.Equal(in, b) {
		t.Fatalf("%s: % x has become % x", c.Type(), b, in)
	}
	if err != nil {
		if !errors.Is(err, kvault.ErrCorrupt) && !errors.Is(err, kvault.ErrInvalid) {
			t.Fatalf("%s: an unknown error: %v", c.Type(), err)
		}
		return
	}
	again, err := c.Append(nil, x)
	if errors.Is(err, kvault.ErrTooLarge) && c.Size() > 0 {
		return // it was encoded shorter than this package does
	}
	if err != nil {
		t.Fatalf("%s: % x is %#v, which cannot be encoded: %v", c.Type(), b, x, err)
	}
	y, err := c.Decode(again)
	if err != nil {
		t.Fatalf("%s: % x is %#v, which became % x: %v", c.Type(), b, x, again, err)
	}
	if third, err := c.Append(nil, y); err != nil || !bytes.Equal(again, third) {
		t.Fatalf("%s: % x became % x, and that % x, %v", c.Type(), b, again, third, err)
	}
}
