package replicate_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/replicate"
)

// TestValuesWithoutATag, as another program writes them: a copy gets the tag that is made from the
// contents, by which the next copy knows it again, and as a target they are replaced like others.
func TestValuesWithoutATag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign := func(sql string) *kvault.Vault {
		t.Helper()
		v, err := kvault.Open(t.Context(), path, nil)
		must(t, err)
		must(t, v.Close())
		c, err := sqlite3.Open(path)
		must(t, err)
		_, err = c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false)
		must(t, err)
		must(t, c.Exec(sql))
		must(t, c.Close())
		v, err = kvault.Open(t.Context(), path, nil)
		must(t, err)
		t.Cleanup(func() { v.Close() })
		return v
	}
	from := foreign(`INSERT INTO kvault(key, value, size) VALUES
		(x'61', x'616263', 3), (x'62', zeroblob(2000000), 2000000)`)
	for _, key := range []string{"a", "b"} {
		if e, err := from.Stat(t.Context(), key); err != nil || e.Tag != "" {
			t.Fatalf("%s: tag %q, %v", key, e.Tag, err)
		}
	}
	for kind, open := range kinds {
		to := open(t)
		for i, want := range []replicate.Counts{
			{Copied: 2, Bytes: 2_000_003}, {Unchanged: 2},
		} {
			if n := replica(t, from, to, replicate.Options{}); n != want {
				t.Errorf("%s, copy %d: %+v, want %+v", kind, i+1, n, want)
			}
		}
		for key, want := range map[string]string{"a": "abc", "b": strings.Repeat("\x00", 2e6)} {
			got, err := to.Get(t.Context(), key)
			must(t, err)
			tag, err := from.Tag(t.Context(), key)
			must(t, err)
			e, err := to.Stat(t.Context(), key)
			if err != nil || string(got) != want || len(e.Tag) != 16 ||
				!strings.HasPrefix(tag, "content-"+e.Tag) {
				t.Errorf("%s: %s is %.20q, tag %q, want %q, %v", kind, key, got, e.Tag, tag, err)
			}
		}
		c := copier(t, from, to, replicate.Options{})
		must(t, c.Verify(t.Context()))
		if n := c.Counts(); n.Verified != 2 || n.Different+n.Failed != 0 {
			t.Errorf("%s: %+v", kind, n)
		}
	}
	other := memVault(t)
	put(t, other, "a", "other")
	put(t, other, "b", strings.Repeat("x", 2e6))
	if n := replica(t, other, from, replicate.Options{}); n.Copied != 2 || n.Conflicts+n.Failed != 0 {
		t.Errorf("as a target: %+v", n)
	}
	wantEqual(t, contents(t, from), contents(t, other))
}
