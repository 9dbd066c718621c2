package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

// TestExportGoesPastDamage: when a page of the table or of its index is lost, export brings every
// value that the command get brings. It names the key behind a lost page of the index that only
// Vault.Get can read, which looks it up without SQLite.
func TestExportGoesPastDamage(t *testing.T) {
	const keys = 900
	name := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(t.Context(), name, &kvault.Options{PageSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		key := fmt.Sprintf("%03d/a key that fills the pages", i)
		if err := v.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"kvault", "sqlite_autoindex_kvault_1"} {
		t.Run(object, func(t *testing.T) {
			damaged := append([]byte(nil), whole...)
			page := leafOf(t, name, object)
			clear(damaged[(page-1)*1024:][:1024])
			bad := filepath.Join(t.TempDir(), "bad.kv")
			if err := os.WriteFile(bad, damaged, 0o666); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out")
			a, _ := progressApp(false)
			errs := &strings.Builder{}
			a.sys.Err = errs
			if code := a.run(t.Context(), []string{"-f", bad, "export", "", out}); code != exitSome {
				t.Errorf("exit code %d: %.300s", code, errs)
			}
			v, err := kvault.Open(t.Context(), bad, &kvault.Options{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			readable, missing := 0, 0
			for i := range keys {
				key := fmt.Sprintf("%03d/a key that fills the pages", i)
				if _, err := v.Get(t.Context(), key); err != nil {
					continue
				}
				readable++
				if got, err := os.ReadFile(filepath.Join(out, key)); err == nil && string(got) == key {
					continue
				}
				if r, err := v.NewReader(t.Context(), key); err == nil {
					missing++
					_ = r.Close()
				} else if !strings.Contains(errs.String(), `"`+key+`": vault is corrupt`) {
					t.Errorf("%s is left out without a word", key)
				}
			}
			if readable == keys || readable < keys/2 || missing > 0 {
				t.Errorf("get reads %d of %d values, export left out %d of those: %.300s", readable, keys, missing, errs)
			}
		})
	}
}

// leafOf is a leaf in the middle of a table or an index: the left child of the middle cell of its
// root.
func leafOf(t *testing.T, name, object string) int {
	t.Helper()
	c, err := sqlite3.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, _, err := c.Prepare(`SELECT rootpage FROM sqlite_schema WHERE name = ?`)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.BindText(1, object); err != nil || !st.Step() {
		t.Fatal(object, err, st.Err())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := func(page, off, n int) (x int) {
		for _, b := range data[(page-1)*1024+off:][:n] {
			x = x<<8 | int(b)
		}
		return x
	}
	page := st.ColumnInt(0)
	for kind := at(page, 0, 1); kind == 2 || kind == 5; kind = at(page, 0, 1) {
		cell := at(page, 12+2*(at(page, 3, 2)/2), 2)
		page = at(page, cell, 4)
	}
	return page
}
