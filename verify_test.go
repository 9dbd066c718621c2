package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

// alteredVault is a vault whose values are not what was stored. Each is of one kind: small, in one
// row, and in chunks.
func alteredVault(t *testing.T, o *kvault.Options) *kvault.Vault {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	v := openFile(t, path, &kvault.Options{OneRowLimit: 2 << 20})
	for key, n := range map[string]int{"small": 1000, "row": 3 << 19, "chunks": 5 << 19} {
		if _, err := v.PutReader(t.Context(), key, strings.NewReader(strings.Repeat("x", n)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false); err != nil {
		t.Fatal(err)
	}
	err = c.Exec(`UPDATE kvault SET value = CAST(substr(value, 1, length(value) - 1) || x'79' AS BLOB) WHERE length(value) > 42;
		UPDATE kvault_chunks SET data = CAST(x'79' || substr(data, 2) AS BLOB) WHERE id & 3 = 1`)
	if err != nil {
		t.Fatal(err)
	}
	return openFile(t, path, o)
}

// alteredReads are the ways to read a whole value, with what came out of it before an error.
var alteredReads = map[string]func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error){
	"Get": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) { return v.Get(ctx, key) },
	"AppendValue": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		return v.AppendValue(ctx, nil, key)
	},
	"GetMany": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		m, err := v.GetMany(ctx, key)
		return m[key], err
	},
	"GetRange": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		return v.GetRange(ctx, key, 0, -1)
	},
	"Items": func(ctx context.Context, v *kvault.Vault, key string) (value []byte, err error) {
		for it, failed := range v.Items(ctx, &kvault.ListOptions{Prefix: key}) {
			value, err = it.Value, failed
		}
		return value, err
	},
	"View": func(ctx context.Context, v *kvault.Vault, key string) (value []byte, err error) {
		err = v.View(ctx, func(tx *kvault.Tx) error { value, err = tx.Get(ctx, key); return err })
		return value, err
	},
	"Pop": func(ctx context.Context, v *kvault.Vault, key string) (value []byte, err error) {
		rollback := errors.New("rollback")
		err = v.Update(ctx, func(tx *kvault.Tx) error {
			if value, err = tx.Pop(ctx, key); err == nil {
				return rollback
			}
			return err
		})
		if errors.Is(err, rollback) {
			err = nil
		}
		return value, err
	},
	"GetTo": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		var b bytes.Buffer
		_, err := v.GetTo(ctx, key, &b)
		return b.Bytes(), err
	},
	"Reader": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		return readFrom(v.NewReader(ctx, key))
	},
	"Reader after a part": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		r, err := v.NewReader(ctx, key)
		if err == nil {
			_, err = r.Read(make([]byte, 10))
		}
		if err == nil {
			_, err = r.ReadAt(make([]byte, 10), 0)
		}
		if err == nil {
			_, err = r.Seek(0, io.SeekStart)
		}
		return readFrom(r, err)
	},
	"FS": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		return readFrom(v.FS(ctx).Open(key))
	},
	"ReadFile": func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
		return fs.ReadFile(v.FS(ctx), key)
	},
}

// readFrom reads what was opened in short pieces.
func readFrom[R io.ReadCloser](r R, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.CopyBuffer(struct{ io.Writer }{&b}, struct{ io.Reader }{r}, make([]byte, 9999))
	return b.Bytes(), err
}

// Values that were altered in the file give an error that names them, with the cache and without.
func TestAlteredValues(t *testing.T) {
	v := alteredVault(t, nil)
	for _, cached := range []bool{false, true} {
		if cached {
			if err := v.EnableCache(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for how, read := range alteredReads {
			for key, most := range map[string]int{"small": 999, "row": 3<<19 - 1, "chunks": 1 << 20} {
				got, err := read(t.Context(), v, key)
				if !errors.Is(err, kvault.ErrCorrupt) || !strings.Contains(err.Error(), key) || len(got) > most {
					t.Errorf("cache %t, %s of %q: %d bytes, %v; want ErrCorrupt", cached, how, key, len(got), err)
				}
			}
		}
	}
}

func TestDisableVerification(t *testing.T) {
	v := alteredVault(t, &kvault.Options{DisableVerification: true})
	for how, read := range alteredReads {
		for key, n := range map[string]int{"small": 1000, "row": 3 << 19, "chunks": 5 << 19} {
			if got, err := read(t.Context(), v, key); err != nil || len(got) != n {
				t.Errorf("%s of %q: %d bytes, %v", how, key, len(got), err)
			}
		}
	}
}

// A damaged value costs a listing and GetMany no other value: those before it come first, and the
// error names the key to go on from.
func TestDamagedValueAmongOthers(t *testing.T) {
	v := alteredVault(t, nil)
	for _, key := range []string{"a", "b", "row.1", "row.2", "z"} { // around "row"
		if err := v.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"chunks", "small"} {
		if _, err := v.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	named := func(how string, err error) {
		t.Helper()
		var e *kvault.Error
		if !errors.Is(err, kvault.ErrCorrupt) || !errors.As(err, &e) || e.Key != "row" {
			t.Errorf("%s: %v; want ErrCorrupt of the key", how, err)
		}
	}
	for _, cached := range []bool{false, true} {
		if cached {
			if err := v.EnableCache(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := v.Put(t.Context(), "b", []byte("b")); err != nil { // pending
				t.Fatal(err)
			}
		}
		for want, o := range map[string]kvault.ListOptions{
			"a b | row.1 row.2 z ": {}, "z row.2 row.1 | b a ": {Reverse: true}, "| row.1 row.2 ": {Prefix: "row"},
			"row.2 row.1 | ": {Prefix: "row", Reverse: true}, "| row.1 ": {Prefix: "row", Limit: 1},
		} {
			got := ""
			read := func(o kvault.ListOptions) (failed error) {
				for it, err := range v.Items(t.Context(), &o) {
					if err != nil {
						return err
					}
					got += string(it.Value) + " "
				}
				return nil
			}
			named(want, read(o))
			got += "| "
			if o.Reverse {
				o.End = "row"
			} else {
				o.Start = "row\x00"
			}
			if err := read(o); err != nil || got != want {
				t.Errorf("cache %t: got %q, want %q, %v", cached, got, want, err)
			}
		}
		got, err := v.GetMany(t.Context(), "z", "a", "row", "b")
		if named("GetMany", err); len(got) != 2 || string(got["z"]) != "z" {
			t.Errorf("GetMany: %q", got)
		}
	}
}
