package kvault_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// both runs a test on a vault whose keys are stored, and on one whose keys are pending in the
// cache.
func both(t *testing.T, test func(t *testing.T, v *kvault.Vault, f *faulty)) {
	t.Run("stored", func(t *testing.T) {
		v, f := newFaultyVault(t, quick)
		test(t, v, f)
	})
	t.Run("cached", func(t *testing.T) {
		v, f := newFaultyVault(t, quick)
		enable(t, v, 1<<20, 1<<20)
		test(t, v, f)
	})
}

func TestGet(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1", "empty", "", "\x00\xff", "binary key")
		wantGet(t, v, "a", "1")
		wantGet(t, v, "\x00\xff", "binary key")
		wantMissing(t, v, "b")
		if got, err := v.Get(t.Context(), "empty"); err != nil || got == nil || len(got) != 0 {
			t.Errorf("Get(empty) = %#v, %v; want an empty slice that is not nil", got, err)
		}
		_, err := v.Get(t.Context(), "b")
		if !errors.Is(err, fs.ErrNotExist) || err.Error() != `get "b": key not found` {
			t.Errorf("missing key: %v", err)
		}
	})
}

func TestAppendValue(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		put(t, v, "a", "1", "empty", "", "large", strings.Repeat("x", 3<<20))
		buf := make([]byte, 2, 4<<20)
		copy(buf, "> ")
		for _, key := range []string{"a", "empty", "large"} {
			want, err := v.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.AppendValue(t.Context(), buf, key)
			if err != nil || string(got) != "> "+string(want) || &got[0] != &buf[0] {
				t.Errorf("AppendValue(%s): %d bytes, %v, in the same memory: %t", key, len(got), err, &got[0] == &buf[0])
			}
		}
		for key, want := range map[string]error{"missing": kvault.ErrNotFound, "": kvault.ErrInvalid} {
			if got, err := v.AppendValue(t.Context(), buf, key); !errors.Is(err, want) || string(got) != "> " {
				t.Errorf("AppendValue(%q) = %q, %v, want what was there and %v", key, got, err, want)
			}
		}
		err := v.View(t.Context(), func(tx *kvault.Tx) error {
			got, err := tx.AppendValue(t.Context(), nil, "a")
			if string(got) != "1" {
				t.Errorf("AppendValue in a transaction: %q", got)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestGetReturnsACopy(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		value := []byte("value")
		if err := v.Put(t.Context(), "a", value); err != nil {
			t.Fatal(err)
		}
		value[0] = 'X' // the caller may reuse its slice
		got, err := v.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		got[1] = 'X'
		wantGet(t, v, "a", "value")
		for value, err := range v.Values(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			value[2] = 'X'
		}
		wantGet(t, v, "a", "value")
		given := []byte("default")
		got, _, err = v.SetDefault(t.Context(), "b", given)
		if err != nil {
			t.Fatal(err)
		}
		got[0], given[1] = 'X', 'X'
		wantGet(t, v, "b", "default")
		if string(given) != "dXfault" {
			t.Errorf("the caller's own slice is %q", given)
		}
	})
}

func TestUserMetadataIsACopy(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		user := map[string]string{"k": "v"}
		if _, err := v.PutWith(t.Context(), "a", nil, &kvault.PutOptions{User: user}); err != nil {
			t.Fatal(err)
		}
		user["k"] = "changed"
		e, err := v.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		e.User["k"] = "changed"
		if e, err = v.Stat(t.Context(), "a"); err != nil || e.User["k"] != "v" {
			t.Errorf("user metadata is %v, %v", e.User, err)
		}
	})
}

func TestGetOrFallsBackForMissingKeysOnly(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "1")
	if got, err := v.GetOr(t.Context(), "a", []byte("def")); err != nil || string(got) != "1" {
		t.Errorf("GetOr(a) = %q, %v", got, err)
	}
	if got, err := v.GetOr(t.Context(), "b", []byte("def")); err != nil || string(got) != "def" {
		t.Errorf("GetOr(b) = %q, %v", got, err)
	}
	f.fail("get", -1, errBoom)
	if got, err := v.GetOr(t.Context(), "a", []byte("def")); !errors.Is(err, errBoom) || got != nil {
		t.Errorf("GetOr on a failing store = %q, %v; want the failure", got, err)
	}
}

// The original's exists turns any failure into False.
func TestExistsReportsAFailingStore(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "1")
	for key, want := range map[string]bool{"a": true, "b": false} {
		if got, err := v.Exists(t.Context(), key); err != nil || got != want {
			t.Errorf("Exists(%q) = %v, %v", key, got, err)
		}
	}
	f.fail("stat", -1, errBoom)
	_, err := v.Exists(t.Context(), "a")
	wantErr(t, err, errBoom)
	_, err = v.Stat(t.Context(), "a")
	wantErr(t, err, errBoom)
	if errors.Is(err, kvault.ErrNotFound) {
		t.Errorf("a failing store looks like a missing key: %v", err)
	}
}

func TestGetMany(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1", "b", "", "c", "3")
		if _, err := v.Delete(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		got, err := v.GetMany(t.Context(), "a", "b", "c", "missing", "a")
		want := map[string][]byte{"a": []byte("1"), "b": {}}
		if err != nil || !maps.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("GetMany = %q, %v; want %q", got, err, want)
		}
		if got, err := v.GetMany(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("GetMany of nothing = %v, %v", got, err)
		}
		_, err = v.GetMany(t.Context(), "a", "")
		wantErr(t, err, kvault.ErrInvalid)
	})
}

func TestGetManyIsOneSnapshot(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "1", "b", "1")
	reached, release := f.block("get")
	done := make(chan map[string][]byte)
	go func() {
		got, _ := v.GetMany(t.Context(), "a", "b")
		done <- got
	}()
	<-reached
	put(t, v, "a", "2", "b", "2")
	release()
	if got := <-done; string(got["a"]) != "1" || string(got["b"]) != "1" {
		t.Errorf("GetMany saw %q, want both as they were when it began", got)
	}
}

func TestGetManyWithoutTransactions(t *testing.T) {
	v := newOn(t, simple{newFaulty()}, nil)
	defer v.Close()
	put(t, v, "a", "1")
	got, err := v.GetMany(t.Context(), "a", "b")
	if err != nil || len(got) != 1 || string(got["a"]) != "1" {
		t.Errorf("GetMany = %q, %v", got, err)
	}
}

func TestGetRange(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		put(t, v, "a", "0123456789", "empty", "")
		for _, c := range []struct {
			key    string
			off, n int64
			want   string
			err    error
		}{
			{"a", 0, 3, "012", nil},
			{"a", 4, 3, "456", nil},
			{"a", 8, 100, "89", nil},
			{"a", 3, -1, "3456789", nil},
			{"a", 10, 5, "", nil},
			{"a", 2, 0, "", nil},
			{"empty", 0, -1, "", nil},
			{"a", 11, 1, "", kvault.ErrInvalid},
			{"a", -1, 1, "", kvault.ErrInvalid},
			{"missing", 0, 1, "", kvault.ErrNotFound},
			{"", 0, 1, "", kvault.ErrInvalid},
		} {
			got, err := v.GetRange(t.Context(), c.key, c.off, c.n)
			if c.err != nil {
				wantErr(t, err, c.err)
			} else if err != nil || got == nil || string(got) != c.want {
				t.Errorf("GetRange(%q, %d, %d) = %q, %v; want %q", c.key, c.off, c.n, got, err, c.want)
			}
		}
		if n := f.count("get"); n != 0 {
			t.Errorf("a range was read by %d whole reads", n)
		}
	})
}

func TestStat(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		stored, err := v.PutWith(t.Context(), "a.txt", []byte("123456789"), &kvault.PutOptions{User: map[string]string{"k": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		e, err := v.Stat(t.Context(), "a.txt")
		if err != nil {
			t.Fatal(err)
		}
		if e.Key != "a.txt" || e.Size != 9 || e.User["k"] != "v" || len(e.Tag) != 16 || e.Folder || e.ModTime.IsZero() {
			t.Errorf("Stat = %+v", e)
		}
		if !e.HasChecksum || e.Checksum != 0xe3069283 { // the check value of CRC-32C
			t.Errorf("checksum is %#x, %v", e.Checksum, e.HasChecksum)
		}
		if e.Tag != stored.Tag || e.Size != stored.Size || !e.ModTime.Equal(stored.ModTime) {
			t.Errorf("PutWith returned %+v, Stat %+v", stored, e)
		}
		_, err = v.Stat(t.Context(), "b")
		wantErr(t, err, kvault.ErrNotFound)
		if n := f.count("get") + f.count("open"); n != 0 {
			t.Errorf("Stat read the value %d times", n)
		}
	})
}

func TestEveryWriteMakesAnotherTag(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		seen := map[string]bool{}
		for range 3 {
			e, err := v.PutWith(t.Context(), "a", []byte("same"), nil)
			if err != nil || seen[e.Tag] {
				t.Fatalf("tag %q, %v; seen %v", e.Tag, err, seen)
			}
			seen[e.Tag] = true
		}
	})
}

func TestGetTo(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "more than one chunk of eight bytes")
		var out bytes.Buffer
		n, err := v.GetTo(t.Context(), "a", &out)
		if err != nil || out.String() != "more than one chunk of eight bytes" || n != int64(out.Len()) {
			t.Errorf("GetTo = %d, %v: %q", n, err, out.String())
		}
		_, err = v.GetTo(t.Context(), "b", &out)
		wantErr(t, err, kvault.ErrNotFound)
	})
}

// limited takes so many bytes, and then fails with err.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.left, len(p))
	l.left -= n
	if n < len(p) {
		return n, l.err
	}
	return n, nil
}

func TestGetToAFailingTarget(t *testing.T) {
	v := newVault(t, quick)
	put(t, v, "a", "more than one chunk of eight bytes")
	for _, c := range []struct{ err, want error }{{errBoom, errBoom}, {nil, io.ErrShortWrite}} {
		n, err := v.GetTo(t.Context(), "a", &limited{11, c.err})
		var ioErr *kvault.IOError
		if n != 11 || !errors.Is(err, c.want) || !errors.As(err, &ioErr) {
			t.Errorf("GetTo = %d, %v; want 11 bytes and an IOError with %v", n, err, c.want)
		}
		wantErr(t, err, c.want)
	}
}

func TestKeyLimits(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		ctx, long := t.Context(), strings.Repeat("k", kvault.MaxKey)
		put(t, v, long, "fits")
		wantGet(t, v, long, "fits")
		for key, c := range map[string]struct{ stored, read error }{
			"":         {kvault.ErrInvalid, kvault.ErrInvalid},
			long + "k": {kvault.ErrTooLarge, kvault.ErrNotFound},
		} {
			_, err := v.Get(ctx, key)
			wantErr(t, err, c.read)
			_, err = v.Stat(ctx, key)
			wantErr(t, err, c.read)
			_, err = v.Tag(ctx, key)
			wantErr(t, err, c.read)
			_, err = v.GetRange(ctx, key, 0, 1)
			wantErr(t, err, c.read)
			_, err = v.NewReader(ctx, key)
			wantErr(t, err, c.read)
			_, err = v.GetTo(ctx, key, io.Discard)
			wantErr(t, err, c.read)
			_, err = v.Pop(ctx, key)
			wantErr(t, err, c.read)
			wantErr(t, v.DeleteIf(ctx, key, "0123456789abcdef"), c.read)
			wantErr(t, v.Rename(ctx, key, "b", nil), c.read)

			wantErr(t, v.Put(ctx, key, nil), c.stored)
			wantErr(t, v.PutAll(ctx, maps.All(map[string][]byte{key: nil})), c.stored)
			wantErr(t, v.Rename(ctx, long, key, nil), c.stored)
			_, _, err = v.SetDefault(ctx, key, nil)
			wantErr(t, err, c.stored)
			_, err = v.NewWriter(ctx, key, nil)
			wantErr(t, err, c.stored)
			if len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		}
		longer := long + "k"
		if found, err := v.Exists(ctx, longer); found || err != nil {
			t.Errorf("Exists of a key that is too long: %v, %v", found, err)
		}
		if found, err := v.Delete(ctx, longer); found || err != nil {
			t.Errorf("Delete of a key that is too long: %v, %v", found, err)
		}
		if value, err := v.GetOr(ctx, longer, []byte("default")); string(value) != "default" || err != nil {
			t.Errorf("GetOr of a key that is too long: %q, %v", value, err)
		}
		if m, err := v.GetMany(ctx, longer, long); len(m) != 1 || err != nil {
			t.Errorf("GetMany of a key that is too long: %d values, %v", len(m), err)
		}
		if _, err := fs.Stat(v.FS(ctx), longer); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("FS with a path that is too long: %v", err)
		}
	})
}
