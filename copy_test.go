package kvault_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
)

// bothVerbs runs test on a vault and in a transaction, with the cache off and on.
func bothVerbs(t *testing.T, test func(t *testing.T, s verbs)) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		test(t, v)
		if _, err := v.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := v.Update(t.Context(), func(tx *kvault.Tx) error {
			test(t, tx)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func putDescribed(t *testing.T, s verbs, key, value string) kvault.Entry {
	t.Helper()
	o := &kvault.PutOptions{ContentType: "text/plain", User: map[string]string{"a": "b"}, ModTime: time.Unix(1700000000, 5)}
	e, err := s.PutWith(t.Context(), key, []byte(value), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCopy(t *testing.T) {
	bothVerbs(t, func(t *testing.T, s verbs) {
		from := putDescribed(t, s, "a", "value")
		e, err := s.Copy(t.Context(), "a", "b", nil)
		if err != nil || e.Tag == from.Tag {
			t.Fatalf("Copy = %+v, %v", e, err)
		}
		from.Key, from.Tag = e.Key, e.Tag
		if diff := cmp.Diff(from, e); diff != "" || e.Key != "b" {
			t.Errorf("entry of the copy (-want +got):\n%s", diff)
		}
		if stat, err := s.Stat(t.Context(), "b"); err != nil || stat.Tag != e.Tag {
			t.Errorf("Stat = %+v, %v", stat, err)
		}
		wantGet(t, s, "a", "value")
		wantGet(t, s, "b", "value")
		for _, tt := range []struct {
			from, to string
			o        *kvault.CopyOptions
			want     error
		}{
			{"missing", "b", nil, kvault.ErrNotFound},
			{"a", "b", &kvault.CopyOptions{NoReplace: true}, kvault.ErrExists},
			{"a", "a", &kvault.CopyOptions{NoReplace: true}, kvault.ErrExists},
			{"a", "c", &kvault.CopyOptions{IfTag: e.Tag}, kvault.ErrTagMismatch},
			{"b", "c", &kvault.CopyOptions{IfTag: e.Tag, NoReplace: true}, nil},
			{"a", "a", nil, nil},
			{"", "b", nil, kvault.ErrInvalid},
			{"a", "", nil, kvault.ErrInvalid},
			{"a", strings.Repeat("k", kvault.MaxKey+1), nil, kvault.ErrTooLarge},
		} {
			if _, err := s.Copy(t.Context(), tt.from, tt.to, tt.o); !errors.Is(err, tt.want) {
				t.Errorf("Copy(%.10q, %.10q, %+v): %v, want %v", tt.from, tt.to, tt.o, err, tt.want)
			}
		}
	})
}

func TestSetMetadata(t *testing.T) {
	later := time.Unix(1800000000, 0).UTC()
	bothVerbs(t, func(t *testing.T, s verbs) {
		for _, tt := range []struct {
			name   string
			o      *kvault.MetadataOptions
			change func(e *kvault.Entry)
		}{
			{"nothing", nil, func(*kvault.Entry) {}},
			{"zero", &kvault.MetadataOptions{}, func(*kvault.Entry) {}},
			{"type", &kvault.MetadataOptions{ContentType: "a/b"}, func(e *kvault.Entry) { e.ContentType = "a/b" }},
			{"no type", &kvault.MetadataOptions{ContentType: kvault.NoContentType}, func(e *kvault.Entry) { e.ContentType = "" }},
			{"time", &kvault.MetadataOptions{ModTime: later}, func(e *kvault.Entry) { e.ModTime = later }},
			{"user", &kvault.MetadataOptions{User: map[string]string{"c": "d"}}, func(e *kvault.Entry) { e.User = map[string]string{"c": "d"} }},
			{"no user", &kvault.MetadataOptions{User: map[string]string{}}, func(e *kvault.Entry) { e.User = nil }},
		} {
			want := putDescribed(t, s, "k", "value")
			got, err := s.SetMetadata(t.Context(), "k", tt.o)
			if err != nil || got.Tag == want.Tag {
				t.Fatalf("%s: %+v, %v", tt.name, got, err)
			}
			tt.change(&want)
			want.Tag = got.Tag
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			if stat, err := s.Stat(t.Context(), "k"); err != nil || !cmp.Equal(stat, got) {
				t.Errorf("%s: Stat = %+v, %v; the call said %+v", tt.name, stat, err, got)
			}
		}
		wantGet(t, s, "k", "value")
		for _, tt := range []struct {
			key  string
			o    kvault.MetadataOptions
			want error
		}{
			{"missing", kvault.MetadataOptions{}, kvault.ErrNotFound},
			{"", kvault.MetadataOptions{}, kvault.ErrInvalid},
			{"k", kvault.MetadataOptions{IfTag: "0123456789abcdef"}, kvault.ErrTagMismatch},
			{"k", kvault.MetadataOptions{ContentType: "two\nlines"}, kvault.ErrInvalid},
			{"k", kvault.MetadataOptions{ModTime: time.Unix(1<<40, 0)}, kvault.ErrInvalid},
			{"k", kvault.MetadataOptions{User: map[string]string{"k": "\xff"}}, kvault.ErrInvalid},
			{"k", kvault.MetadataOptions{User: map[string]string{"k": strings.Repeat("x", kvault.MaxUserMetadata)}}, kvault.ErrTooLarge},
		} {
			_, err := s.SetMetadata(t.Context(), tt.key, &tt.o)
			wantErr(t, err, tt.want)
		}
	})
}

func TestNoContentType(t *testing.T) {
	bothVerbs(t, func(t *testing.T, s verbs) {
		none := &kvault.PutOptions{ContentType: kvault.NoContentType}
		for _, value := range []string{"<html>", "<html>" + text} {
			e, err := s.PutReader(t.Context(), "page.html", strings.NewReader(value), none)
			if err != nil || e.ContentType != "" {
				t.Errorf("%d bytes: type %q, %v", len(value), e.ContentType, err)
			}
		}
		if e, err := s.PutFile(t.Context(), "k", "go.mod", none); err != nil || e.ContentType != "" {
			t.Errorf("PutFile: type %q, %v", e.ContentType, err)
		}
	})
}

func TestWriterSetMetadata(t *testing.T) {
	later := time.Unix(1800000000, 0).UTC()
	bothVerbs(t, func(t *testing.T, s verbs) {
		for _, value := range []string{"", "short", text} {
			w, err := s.NewWriter(t.Context(), "k.txt", &kvault.PutOptions{User: map[string]string{"old": "yes"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, value); err != nil {
				t.Fatal(err)
			}
			for _, o := range []kvault.MetadataOptions{
				{ContentType: "two\nlines"}, {ModTime: time.Unix(1<<40, 0)}, {IfTag: "0123456789abcdef"},
			} {
				wantErr(t, w.SetMetadata(&o), kvault.ErrInvalid)
			}
			digest := map[string]string{"digest": "1"}
			for _, o := range []*kvault.MetadataOptions{
				nil, {ContentType: "a/b", User: digest}, {ModTime: later}, {ContentType: kvault.NoContentType},
			} {
				if err := w.SetMetadata(o); err != nil {
					t.Errorf("SetMetadata(%+v): %v", o, err)
				}
			}
			digest["digest"] = "2"
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			e, err := s.Stat(t.Context(), "k.txt")
			if err != nil || e.ContentType != "" || !e.ModTime.Equal(later) || !maps.Equal(e.User, map[string]string{"digest": "1"}) {
				t.Errorf("%d bytes: stored %+v, %v", len(value), e, err)
			}
			wantGet(t, s, "k.txt", value)
			wantErr(t, w.SetMetadata(&kvault.MetadataOptions{ContentType: "a/b"}), kvault.ErrClosed)
		}
	})
}

func TestGetItem(t *testing.T) {
	bothVerbs(t, func(t *testing.T, s verbs) {
		e := putDescribed(t, s, "k", "value")
		it, err := s.GetItem(t.Context(), "k")
		if err != nil || !cmp.Equal(it.Entry, e) || string(it.Value) != "value" {
			t.Errorf("GetItem = %+v, %v", it, err)
		}
		it.Value[0] = 'x'
		wantGet(t, s, "k", "value")
		_, err = s.GetItem(t.Context(), "")
		wantErr(t, err, kvault.ErrInvalid)
		for _, key := range []string{"j", "k\x00", strings.Repeat("k", kvault.MaxKey+1)} {
			_, err = s.GetItem(t.Context(), key)
			wantErr(t, err, kvault.ErrNotFound)
		}
	})
}

// prefixMoves are calls on the keys a/1, a/2, b/2 and c, with what becomes of them.
var prefixMoves = []struct {
	from, to  string
	noReplace bool
	want      error
	n         int64
	renamed   string // what each key holds after RenamePrefix
	copied    string // and after CopyPrefix
}{
	{"a/", "d/", false, nil, 2, "b/2=b2 c=c d/1=a1 d/2=a2", "a/1=a1 a/2=a2 b/2=b2 c=c d/1=a1 d/2=a2"},
	{"a/", "b/", false, nil, 2, "b/1=a1 b/2=a2 c=c", "a/1=a1 a/2=a2 b/1=a1 b/2=a2 c=c"},
	{"a/", "b/", true, kvault.ErrExists, 0, "", ""},
	{"a/", "", false, nil, 2, "1=a1 2=a2 b/2=b2 c=c", "1=a1 2=a2 a/1=a1 a/2=a2 b/2=b2 c=c"},
	{"c", "d", true, nil, 1, "a/1=a1 a/2=a2 b/2=b2 d=c", "a/1=a1 a/2=a2 b/2=b2 c=c d=c"},
	{"x", "y", false, nil, 0, "a/1=a1 a/2=a2 b/2=b2 c=c", "a/1=a1 a/2=a2 b/2=b2 c=c"},
	{"c", "", false, kvault.ErrInvalid, 0, "", ""}, // no key may be empty
	{"", "x", false, kvault.ErrInvalid, 0, "", ""},
	{"a/", "a/", false, kvault.ErrInvalid, 0, "", ""},
	{"a/", "a/x/", false, kvault.ErrInvalid, 0, "", ""},
	{"a/", "a", false, kvault.ErrInvalid, 0, "", ""},
	{"a/", strings.Repeat("k", kvault.MaxKey), false, kvault.ErrTooLarge, 0, "", ""},
}

func TestPrefixes(t *testing.T) {
	const before = "a/1=a1 a/2=a2 b/2=b2 c=c"
	for _, tt := range prefixMoves {
		for _, renames := range []bool{true, false} {
			t.Run(fmt.Sprintf("%.5q to %.5q, rename %v", tt.from, tt.to, renames), func(t *testing.T) {
				bothVerbs(t, func(t *testing.T, s verbs) {
					for _, pair := range strings.Fields(before) {
						key, value, _ := strings.Cut(pair, "=")
						putDescribed(t, s, key, value)
					}
					tag := tagsOf(t, s)
					call, want := s.CopyPrefix, tt.copied
					if renames {
						call, want = s.RenamePrefix, tt.renamed
					}
					n, err := call(t.Context(), tt.from, tt.to, &kvault.PrefixOptions{NoReplace: tt.noReplace})
					if n != tt.n || !errors.Is(err, tt.want) {
						t.Fatalf("%d, %v; want %d, %v", n, err, tt.n, tt.want)
					}
					if err != nil {
						want = before
					}
					if got := content(t, s); got != want {
						t.Errorf("left %s, want %s", got, want)
					}
					if after := tagsOf(t, s); renames && err == nil && tt.n == 2 && after[tt.to+"1"] != tag["a/1"] {
						t.Error("a renamed value has another tag")
					}
				})
			})
		}
	}
}

// content shows all keys and values.
func content(t *testing.T, s verbs) string {
	t.Helper()
	var all []string
	for it, err := range s.Items(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, it.Key+"="+string(it.Value))
	}
	return strings.Join(all, " ")
}

func tagsOf(t *testing.T, s verbs) map[string]string {
	t.Helper()
	tags := map[string]string{}
	for e, err := range s.List(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		tags[e.Key] = e.Tag
	}
	return tags
}

// Several pages of keys are one transaction, and the key that fails is named.
func TestPrefixOfManyKeys(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		const many = 2500
		for i := range many {
			put(t, v, fmt.Sprintf("a/%04d", i), fmt.Sprint(i))
		}
		put(t, v, "b/2400", "there")
		before := content(t, v)
		_, err := v.RenamePrefix(t.Context(), "a/", "b/", &kvault.PrefixOptions{NoReplace: true})
		wantErr(t, err, kvault.ErrExists)
		if want := `rename prefix "a/2400": key exists already: "b/2400"`; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if content(t, v) != before {
			t.Error("a call that failed changed something")
		}
		put(t, v, "a/a/", "x") // would move to a key that is yet to be moved
		_, err = v.RenamePrefix(t.Context(), "a/", "", nil)
		wantErr(t, err, kvault.ErrInvalid)
		if _, err := v.Delete(t.Context(), "a/a/"); err != nil {
			t.Fatal(err)
		}
		if content(t, v) != before {
			t.Error("a call that failed changed something")
		}
		if n, err := v.RenamePrefix(t.Context(), "a/", "b/", nil); n != many || err != nil {
			t.Fatalf("RenamePrefix = %d, %v", n, err)
		}
		if got := collect(t, v, nil); len(got) != many || !slices.IsSorted(got) || got[0] != "b/0000" {
			t.Errorf("%d keys after", len(got))
		}
	})
}

// A transaction whose function goes on after half a rename is not committed.
func TestHalfAPrefix(t *testing.T) {
	v := newVault(t, nil)
	for i := range 1500 {
		put(t, v, fmt.Sprintf("a/%04d", i), "x")
	}
	put(t, v, "b/1400", "there")
	before := content(t, v)
	err := v.Update(t.Context(), func(tx *kvault.Tx) error {
		_, err := tx.RenamePrefix(t.Context(), "a/", "b/", &kvault.PrefixOptions{NoReplace: true})
		wantErr(t, err, kvault.ErrExists)
		return nil
	})
	wantErr(t, err, kvault.ErrTxDone)
	if content(t, v) != before {
		t.Error("half of the keys were renamed")
	}
}

// What a function does through an interface of both works in a transaction as in a vault.
func TestTxHasWhatTheVaultHas(t *testing.T) {
	bothVerbs(t, func(t *testing.T, s verbs) {
		ctx := t.Context()
		if err := s.PutAll(ctx, maps.All(map[string][]byte{"d/a": []byte("1"), "d/b": []byte("2")})); err != nil {
			t.Fatal(err)
		}
		if m, err := s.GetMany(ctx, "d/a", "d/b", "none"); err != nil || len(m) != 2 || string(m["d/b"]) != "2" {
			t.Errorf("GetMany = %q, %v", m, err)
		}
		if e, err := s.PutFile(ctx, "d/mod", "go.mod", nil); err != nil || e.Size == 0 {
			t.Errorf("PutFile = %+v, %v", e, err)
		}
		if f, err := s.FS(ctx).Open("d/a"); err != nil {
			t.Error(err)
		} else if got, err := io.ReadAll(f); err != nil || string(got) != "1" || f.Close() != nil {
			t.Errorf("read %q, %v", got, err)
		}
		wantErr(t, s.PutAll(ctx, maps.All(map[string][]byte{"": nil})), kvault.ErrInvalid)
	})
}

func TestReadOnlyTransactionsRefuseCopies(t *testing.T) {
	v := newVault(t, nil)
	put(t, v, "a", "1")
	err := v.View(t.Context(), func(tx *kvault.Tx) error {
		_, err := tx.Copy(t.Context(), "a", "b", nil)
		wantErr(t, err, kvault.ErrReadOnly)
		_, err = tx.SetMetadata(t.Context(), "a", nil)
		wantErr(t, err, kvault.ErrReadOnly)
		_, err = tx.RenamePrefix(t.Context(), "a", "b", nil)
		wantErr(t, err, kvault.ErrReadOnly)
		wantErr(t, tx.PutAll(t.Context(), maps.All(map[string][]byte{"b": nil})), kvault.ErrReadOnly)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
