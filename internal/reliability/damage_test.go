package reliability

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// damageTemplate is a vault for damage, and what it holds.
func damageTemplate(t testing.TB) (data []byte, values map[string][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	if err := makeVictim(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	v, err := kvault.Open(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	values = map[string][]byte{}
	for item, err := range v.Items(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		values[item.Key] = item.Value
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return data, values
}

// damage changes a file as edits say: three bytes say where, and the fourth what is there instead,
// or that the file ends there. It reports whether it did no more than change one byte.
func damage(data, edits []byte) (hurt []byte, one bool) {
	hurt = bytes.Clone(data)
	changed := 0
	for ; len(edits) >= 5 && len(hurt) > 0; edits = edits[5:] {
		at := (int(edits[0])<<16 | int(edits[1])<<8 | int(edits[2])) % len(hurt)
		switch edits[3] % 4 {
		case 0:
			hurt[at] = edits[4]
		case 1:
			hurt[at] ^= 1 << (edits[4] % 8)
		case 2:
			copy(hurt[at:], bytes.Repeat(edits[4:5], 8))
			changed++
		case 3:
			hurt = hurt[:at]
			changed++
		}
		changed++
	}
	return hurt, changed <= 1
}

// FuzzDamage makes every call on a damaged file. A change of one byte, if Check finds nothing
// wrong, has altered no value; several may take a checksum away together with what it covers.
func FuzzDamage(f *testing.F) {
	data, values := damageTemplate(f)
	for i := range byte(damageSeeds) {
		f.Add([]byte{i % 3, i * 37, i * 91, i % 4, i * 53})
		f.Add([]byte{0, 0, i * 5, 0, i, i % 2, i * 3, i * 7, 1, i})
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		hurt, one := damage(data, edits[:min(len(edits), 100)])
		path := filepath.Join(fastDir(t), "v.kv")
		if err := os.WriteFile(path, hurt, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), hostileWait)
		defer cancel()
		if one {
			wantRightOrReported(t, ctx, path, values)
		}
		a := &abuse{ctx: ctx, path: path}
		if err := a.run(); err != nil || ctx.Err() != nil {
			t.Errorf("%v, %v", err, ctx.Err())
		}
	})
}

// wantRightOrReported fails if a value is not what it was, and Check does not say so.
func wantRightOrReported(t *testing.T, ctx context.Context, path string, values map[string][]byte) {
	t.Helper()
	v, err := kvault.Open(ctx, path, &kvault.Options{ReadOnly: true, BusyTimeout: time.Second})
	if err != nil {
		return
	}
	defer shut(t, v)
	if _, err := v.Check(ctx, nil); err != nil {
		return
	}
	n, err := v.Len(ctx)
	for key, want := range values {
		if got, err := v.Get(ctx, key); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Check finds nothing, and %q has %d bytes, %v; want %d", key, len(got), err, len(want))
		}
	}
	if err != nil || n != int64(len(values)) {
		t.Errorf("Check finds nothing, and there are %d keys, %v; want %d", n, err, len(values))
	}
}

// Every page cut off, and bytes all over the file changed.
func TestDamage(t *testing.T) {
	data, values := damageTemplate(t)
	const page = 1024
	for at := 0; at < len(data); at += damageStride {
		edits := []byte{byte(at >> 16), byte(at >> 8), byte(at), 1, byte(at)}
		if at%page < damageStride {
			edits[3] = 3
		}
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			hurt, one := damage(data, edits)
			path := filepath.Join(fastDir(t), "v.kv")
			if err := os.WriteFile(path, hurt, 0o600); err != nil {
				t.Fatal(err)
			}
			if one {
				wantRightOrReported(t, t.Context(), path, values)
			}
			if err := (&abuse{ctx: t.Context(), path: path}).run(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("%d damaged files", (len(data)+damageStride-1)/damageStride)
}
