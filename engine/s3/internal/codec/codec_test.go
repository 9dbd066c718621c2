package codec_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
)

// checkKeys compares what two keys have in common with what their names have.
func checkKeys(t *testing.T, a, b string) {
	t.Helper()
	for _, key := range []string{a, b} {
		name := codec.Name(key)
		if got, ok := codec.Key(name); key != "" && (!ok || got != key) {
			t.Errorf("name %q of %q is that of %q, %v", name, key, got, ok)
		}
		for part := range strings.SplitSeq(name, "/") {
			if part == "" || part == "." || part == ".." || part[0] != codec.Mark {
				t.Errorf("name %q of %q has the part %q", name, key, part)
			}
		}
		for i := range len(name) {
			if c := name[i]; c < '!' || c > '~' {
				t.Errorf("name %q of %q has byte %#x", name, key, c)
			}
		}
	}
	if x, y := strings.Compare(a, b), strings.Compare(codec.Name(a), codec.Name(b)); x != y {
		t.Errorf("%q and %q: in order %d, and their names %d", a, b, x, y)
	}
	if x, y := strings.HasPrefix(a, b), strings.HasPrefix(codec.Name(a), codec.Name(b)); x != y {
		t.Errorf("%q begins with %q: %v, and their names: %v", a, b, x, y)
	}
}

func TestNames(t *testing.T) {
	var keys []string
	for c := range 256 {
		keys = append(keys, string([]byte{byte(c)}), "a"+string([]byte{byte(c)}), string([]byte{byte(c), '0'}), string([]byte{byte(c), byte(c)}))
	}
	keys = append(keys, "a/b.jpg", "a//b", "/", "//", "..", "a/../b", "a-b", "a.b", "ü", "\xff\xff", "a~", "a!2f")
	for _, a := range keys {
		for _, b := range keys {
			checkKeys(t, a, b)
		}
	}
	for key, want := range map[string]string{"a/b.jpg": "=a/=b.jpg", "a b": "=a!20b", "A:b_c{": "=A=3ab_5fc~7b", "..": "=.."} {
		if got := codec.Name(key); got != want {
			t.Errorf("name of %q: %q, want %q", key, got, want)
		}
	}
}

func TestNoNames(t *testing.T) {
	for _, name := range []string{"", "=", "a", ".d/x", "=a/b", "=a/", "=!2", "=!2F", "=!41", "=~61", "=a b", "=é", "=_5", "=!2f"} {
		if key, ok := codec.Key(name); ok {
			t.Errorf("%q is the name of %q", name, key)
		}
	}
}

// Between Before(name) and name there is no name of a key.
func TestBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var names []string
	for range 3000 {
		key := make([]byte, 1+r.IntN(3))
		for i := range key {
			key[i] = byte(r.IntN(256))
		}
		names = append(names, codec.Name(string(key)))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for i, name := range names {
		before := codec.Before(name)
		if before >= name || i > 0 && before <= names[i-1] {
			t.Errorf("%q lies before %q, and %q is the name before that", before, name, names[max(i-1, 0)])
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("a/b", "a/")
	f.Add("\xff", "~")
	f.Fuzz(checkKeys)
}

func FuzzKey(f *testing.F) {
	f.Add("=a/=b!20")
	f.Fuzz(func(t *testing.T, name string) {
		if key, ok := codec.Key(name); ok && codec.Name(key) != name {
			t.Errorf("%q is said to be the name of %q, which is %q", name, key, codec.Name(key))
		}
	})
}

func TestCheckName(t *testing.T) {
	prefix := "a vault/"
	fits := strings.Repeat("k", codec.MaxName-len(prefix)-1)
	if err := codec.CheckName(prefix, fits); err != nil {
		t.Error(err)
	}
	for _, key := range []string{fits + "k", strings.Repeat("\x00", 400)} {
		if err := codec.CheckName(prefix, key); !errors.Is(err, engine.ErrTooLarge) {
			t.Errorf("key of %d bytes: %v", len(key), err)
		}
	}
}

var headers = []codec.Header{
	{Kind: codec.Value},
	{Kind: codec.Tombstone, Write: 1, Parents: []uint64{2, 3}},
	{Kind: codec.Value, Write: 1<<64 - 1, Meta: engine.Meta{
		Tag: "0123456789abcdef", ModTime: time.Unix(-5, 17).UTC(), ContentType: "image/jpeg", Sum: 7, HasSum: true,
		User: map[string]string{"a": "1", "ü": "\n", "": ""},
	}},
	{Kind: codec.Stamped, Write: 5, Size: 1 << 20, Meta: engine.Meta{Tag: "0123456789abcdef"}},
	{Kind: codec.Pointer, Size: 1 << 40, Beside: true, Meta: engine.Meta{Tag: "another form of tag"}},
}

func TestHeaders(t *testing.T) {
	for _, h := range headers {
		text, fits := h.Text()
		got, err := codec.ParseHeader(text)
		if diff := cmp.Diff(h, got); err != nil || diff != "" || !fits {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for n := range len(text) {
			if _, err := codec.ParseHeader(text[:n]); err == nil {
				t.Errorf("%q, cut off at %d, is accepted", text, n)
			}
		}
	}
	long := codec.Header{Kind: codec.Value, Meta: engine.Meta{User: map[string]string{"a": strings.Repeat("b", codec.MaxHeader)}}}
	if _, fits := long.Text(); fits {
		t.Error("a header above the limit fits")
	}
}

func FuzzHeader(f *testing.F) {
	for _, h := range headers {
		text, _ := h.Text()
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := codec.ParseHeader(text)
		if err != nil {
			return
		}
		again, _ := h.Text()
		got, err := codec.ParseHeader(again)
		if diff := cmp.Diff(h, got); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
	})
}

func TestTargets(t *testing.T) {
	for _, want := range []codec.Target{
		{},
		{Data: []codec.Data{{Name: "A", Size: 5}, {Name: "B", Size: 0}}, ContentType: "a/b", User: map[string]string{"k": "v"}},
	} {
		b, size := want.Bytes(), int64(0)
		for _, d := range want.Data {
			size += d.Size
		}
		got, err := codec.ParseTarget(b, size)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if _, err := codec.ParseTarget(b, size+1); !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("of another size: %v", err)
		}
		for i := range b {
			b[i] ^= 1
			if _, err := codec.ParseTarget(b, size); !errors.Is(err, engine.ErrCorrupt) {
				t.Errorf("with byte %d altered: %v", i, err)
			}
			b[i] ^= 1
		}
	}
}

// TestStamp: values that are equal and have other numbers differ, and what was given is not
// changed.
func TestStamp(t *testing.T) {
	room := append(make([]byte, 0, 100), "value"...)
	a, b := codec.Stamp(room, 1), codec.Stamp(room, 2)
	if want := "value" + strings.Repeat("\x00", 57) + "\x01"; string(a) != want || string(a[:len(a)-1]) != string(b[:len(b)-1]) || string(a) == string(b) {
		t.Errorf("%q and %q", a, b)
	}
	if got := room[:6][5]; got != 0 {
		t.Errorf("the byte behind the value is %d", got)
	}
}

// TestPlain: the size of an object tells that it is a value as it is, never so of another.
func TestPlain(t *testing.T) {
	plain := 0
	for n := range 1000 {
		value := make([]byte, n)
		stamped := codec.Stamp(value, 1)
		if size := int64(len(stamped)); size != codec.StampedSize(int64(n)) || codec.Plain(size) || size < int64(n)+8 || size > int64(n)+codec.MaxStamp {
			t.Errorf("%d bytes with a stamp are %d", n, size)
		}
		inline := codec.Target{Inline: value, ContentType: strings.Repeat("c", n%200)}
		data := codec.Target{Data: []codec.Data{{Name: strings.Repeat("n", n), Size: 1 << 40}}}
		for _, target := range []codec.Target{inline, data} {
			if b := target.Bytes(); codec.Plain(int64(len(b))) {
				t.Errorf("a pointer of %d bytes", len(b))
			}
		}
		if codec.Plain(int64(n)) {
			plain++
		}
	}
	if plain < 980 {
		t.Errorf("%d of 1,000 sizes are plain", plain)
	}
}

func FuzzTarget(f *testing.F) {
	f.Add((&codec.Target{Data: []codec.Data{{Name: "A", Size: 5}}}).Bytes(), int64(5))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if got, err := codec.ParseTarget(b, size); err == nil && size < 0 {
			t.Errorf("%+v of %d bytes", got, size)
		}
	})
}

func TestCheckPrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"": true, "a/": true, "a/b.c/": true, "/": false, "a//": false, ".d/": false, "a/=b/": false, "a/../": false,
		strings.Repeat("p", 600) + "/": false,
	} {
		if err := codec.CheckPrefix(prefix); (err == nil) != ok || err != nil && !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("CheckPrefix(%q): %v", prefix, err)
		}
	}
}

func TestInlineTarget(t *testing.T) {
	want := codec.Target{Write: 1 << 63, Inline: []byte("value"), ContentType: "a/b"}
	got, err := codec.ParseTarget(want.Bytes(), 5)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := codec.ParseTarget(want.Bytes(), 4); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("of another size: %v", err)
	}
}
