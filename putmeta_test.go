package kvault_test

import (
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// A caller that uses its map of metadata again after it began a value must not change what is
// stored.
func TestWriterKeepsNoReferenceToTheMetadata(t *testing.T) {
	for name, value := range map[string]string{"one chunk": "x", "staged": text} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
				meta := map[string]string{"name": "first"}
				w, err := v.NewWriter(t.Context(), "k", &kvault.PutOptions{User: meta})
				if err != nil {
					t.Fatal(err)
				}
				meta["name"] = "\xff next"
				if _, err := io.WriteString(w, value); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				meta["name"] = "later"
				if got := w.Entry().User["name"]; got != "first" {
					t.Errorf("Entry has %q", got)
				}
				if _, err := v.FlushCache(t.Context()); err != nil {
					t.Fatal(err)
				}
				if e, err := v.Stat(t.Context(), "k"); err != nil || e.User["name"] != "first" {
					t.Errorf("stored %q, %v", e.User, err)
				}
			})
		})
	}
}

// What the vault hands out may be changed by the caller.
func TestEntriesShareNoMetadataWithTheVault(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		e, err := v.PutWith(t.Context(), "k", []byte("x"), &kvault.PutOptions{User: map[string]string{"name": "first"}})
		if err != nil {
			t.Fatal(err)
		}
		e.User["name"] = "\xff"
		stat, err := v.Stat(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		stat.User["name"] = "\xff"
		for e, err := range v.List(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			e.User["name"] = "\xff"
		}
		if _, err := v.FlushCache(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e, err := v.Stat(t.Context(), "k"); err != nil || e.User["name"] != "first" {
			t.Errorf("stored %q, %v", e.User, err)
		}
	})
}

// What no store has to keep is refused by every way to put, before anything of it is accepted.
func TestMetadataIsChecked(t *testing.T) {
	big := strings.Repeat("x", kvault.MaxUserMetadata)
	for name, c := range map[string]struct {
		o    kvault.PutOptions
		want error
	}{
		"type of two lines":       {kvault.PutOptions{ContentType: "text/plain\nX: y"}, kvault.ErrInvalid},
		"type with NUL":           {kvault.PutOptions{ContentType: "text/\x00plain"}, kvault.ErrInvalid},
		"type with escape":        {kvault.PutOptions{ContentType: "text/\x1b[31m"}, kvault.ErrInvalid},
		"type that is no UTF-8":   {kvault.PutOptions{ContentType: "text/\xff"}, kvault.ErrInvalid},
		"type that is turned":     {kvault.PutOptions{ContentType: "text/\u202eplain"}, kvault.ErrInvalid},
		"longest type":            {kvault.PutOptions{ContentType: strings.Repeat("x", kvault.MaxContentType)}, nil},
		"type too long":           {kvault.PutOptions{ContentType: strings.Repeat("x", kvault.MaxContentType+1)}, kvault.ErrTooLarge},
		"type with a parameter":   {kvault.PutOptions{ContentType: `text/plain; charset=utf-8; name="ä b"`}, nil},
		"user name, no UTF-8":     {kvault.PutOptions{User: map[string]string{"\xff": "x"}}, kvault.ErrInvalid},
		"user value, no UTF-8":    {kvault.PutOptions{User: map[string]string{"x": "\xff"}}, kvault.ErrInvalid},
		"user value, any text":    {kvault.PutOptions{User: map[string]string{"": "a\nb\x00\u202e"}}, nil},
		"most user metadata":      {kvault.PutOptions{User: map[string]string{"a": big[2:], "b": ""}}, nil},
		"too much user metadata":  {kvault.PutOptions{User: map[string]string{"a": big[1:], "b": ""}}, kvault.ErrTooLarge},
		"too much in many values": {kvault.PutOptions{User: map[string]string{"a": big[:len(big)/2], "b": big[:len(big)/2]}}, kvault.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
				for way, err := range everyPut(t, v, &c.o) {
					if c.want == nil && err != nil {
						t.Errorf("%s: %v", way, err)
					}
					if c.want != nil {
						wantErr(t, err, c.want)
						wantMissing(t, v, way)
					}
				}
				if _, err := v.FlushCache(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, way := range collect(t, v, nil) {
					e, err := v.Stat(t.Context(), way)
					if err != nil || e.ContentType != c.o.ContentType && c.o.ContentType != "" || !maps.Equal(e.User, c.o.User) {
						t.Errorf("%s: %+v, %v", way, e, err)
					}
				}
			})
		})
	}
}

// everyPut stores a small value by each call that takes options, under the name of the call, and
// returns their errors.
func everyPut(t *testing.T, v *kvault.Vault, o *kvault.PutOptions) map[string]error {
	t.Helper()
	ctx, errs := t.Context(), map[string]error{}
	_, errs["PutWith"] = v.PutWith(ctx, "PutWith", []byte("x"), o)
	_, errs["PutReader"] = v.PutReader(ctx, "PutReader", strings.NewReader(text), o)
	_, errs["PutFile"] = v.PutFile(ctx, "PutFile", "put_test.go", o)
	w, err := v.NewWriter(ctx, "NewWriter", o)
	if err == nil {
		err = w.Close()
	}
	errs["NewWriter"] = err
	var inTx error
	if err := v.Update(ctx, func(tx *kvault.Tx) error {
		_, inTx = tx.PutWith(ctx, "Tx", []byte("x"), o)
		return nil
	}); err != nil && !errors.Is(err, inTx) {
		t.Error(err)
	}
	errs["Tx"] = inTx
	return errs
}
