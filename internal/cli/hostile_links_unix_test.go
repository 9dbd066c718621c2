//go:build linux || darwin

package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/filetree"
)

// kindEntry is an entry as a hostile vault may have it.
type kindEntry struct {
	key, value string
	kind       filetree.Kind
}

func putKinds(t testing.TB, v *kvault.Vault, entries []kindEntry) (stored int) {
	t.Helper()
	for _, e := range entries {
		o := &kvault.PutOptions{User: map[string]string{modeMeta: "0777"}}
		o.ContentType = filetree.AddKind(o.User, e.kind)
		if _, err := v.PutWith(t.Context(), e.key, []byte(e.value), o); err == nil {
			stored++
		}
	}
	return stored
}

// makeBox makes a directory with a target, and outside it something that must not change.
func makeBox(t testing.TB, box string) (target string) {
	t.Helper()
	writeBelow(t, box, "outside/secret", "secret")
	target = filepath.Join(box, "target")
	if err := os.Mkdir(target, 0o777); err != nil {
		t.Fatal(err)
	}
	return target
}

// What a vault claims to be links and directories is restored where that is safe, and reported where
// it is not; nothing is written outside the target, whatever the flags.
func TestHostileLinks(t *testing.T) {
	link, dir := filetree.Link, filetree.Folder
	invalid := []kindEntry{
		{"nul", "a\x00b", link}, {"empty", "", link}, {"long", strings.Repeat("x", filetree.MaxTarget+1), link},
		{"huge", strings.Repeat("../", 1<<20/3), link}, {"../up", "x", link}, {"a//b", "x", link}, {"tail/", "x", link},
		{"below", "../outside", link}, {"below2", ".", link},
		{"no-slash", "", dir}, {"value/", "v", dir}, {"x/../y/", "", dir}, {"../z/", "", dir}, {"/", "", dir}, {"nul\x00/", "", dir},
	}
	unsafe := []kindEntry{
		{"abs", "/etc/passwd", link}, {"out", "../outside", link}, {"deep/out", "../../outside/secret", link},
		{"middle", "deep/../../outside", link}, {"deep/end", "../deep/..", link}, {"slashes", "//etc", link},
	}
	fine := []kindEntry{
		{"self", "self", link}, {"dot", ".", link}, {"deep/up", "..", link}, {"dangling", "nowhere/x", link},
		{"bytes", "\xff\xfe\n\x1b[31m", link}, {"below/secret", "v", filetree.File}, {"below2/", "", dir}, {"dir/", "", dir},
	}
	for _, allowed := range []bool{false, true} {
		box := t.TempDir()
		target := makeBox(t, box)
		vault := filepath.Join(t.TempDir(), "v.kv")
		v, err := kvault.Open(t.Context(), vault, nil)
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(invalid, unsafe, fine)
		if n := putKinds(t, v, all); n != len(all) {
			t.Fatalf("%d of %d entries stored", n, len(all))
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		args, refused, restored := []string{"export", ".", target}, slices.Concat(invalid, unsafe), fine
		if allowed {
			args, refused, restored = append(args, "--unsafe-links"), invalid, slices.Concat(unsafe, fine)
		}
		for range 2 { // what the first has made is there for the second
			out := runJSON(t, vault, args...)
			if out.code != exitSome || len(out.errs) != len(refused) || len(out.done) != len(restored) {
				t.Errorf("unsafe %t: exit code %d, %q done, %d errors of %d: %.3000q", allowed, out.code, out.done, len(out.errs), len(refused), out.errs)
			}
			for _, e := range refused {
				if out.errs[e.key] == "" {
					t.Errorf("unsafe %t: %q was not refused", allowed, e.key)
				}
			}
			for _, e := range restored {
				if got, err := os.Readlink(filepath.Join(target, e.key)); e.kind == link && (err != nil || got != e.value) {
					t.Errorf("unsafe %t: %q -> %q, %v", allowed, e.key, got, err)
				}
			}
			outsideUnchanged(t, box)
		}
	}
}

// A link that one export made is none that another writes through.
func TestLinkOfEarlierExport(t *testing.T) {
	box := t.TempDir()
	target := makeBox(t, box)
	export := func(entries ...kindEntry) treeOutcome {
		vault := filepath.Join(t.TempDir(), "v.kv")
		v, err := kvault.Open(t.Context(), vault, nil)
		if err != nil {
			t.Fatal(err)
		}
		putKinds(t, v, entries)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		return runJSON(t, vault, "export", ".", target, "--unsafe-links", "--overwrite")
	}
	if out := export(kindEntry{"d", "../outside", filetree.Link}, kindEntry{"f", "../outside/secret", filetree.Link}); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	out := export(kindEntry{"d/", "", filetree.Folder}, kindEntry{"d/secret", "new", filetree.File}, kindEntry{"d/link", "x", filetree.Link},
		kindEntry{"f", "new", filetree.File})
	if out.code != exitSome || len(out.errs) != 3 || !slices.Equal(out.done, []string{"f"}) {
		t.Errorf("%+v", out)
	}
	outsideUnchanged(t, box)
	info, err := os.Stat(filepath.Join(box, "outside"))
	if err != nil || info.Mode().Perm() == 0o777 {
		t.Errorf("the folder outside got the mode of one inside: %v, %v", info.Mode(), err)
	}
}

// FuzzExportLinks exports entries that claim to be links or directories.
func FuzzExportLinks(f *testing.F) {
	f.Add("a", "..", byte(1), "a/b", "v", byte(0))
	f.Add("d/e", "../..", byte(1), "x/", "", byte(2))
	f.Add("a", "a/..", byte(1), "a", "\x00", byte(1))
	f.Add("link", "/", byte(1), "link/", "", byte(2))
	f.Add("a", "b", byte(1), "b", "../outside", byte(1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, key1, value1 string, kind1 byte, key2, value2 string, kind2 byte) {
		box, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(box)
		target := makeBox(t, box)
		a, _ := memApp(mem.New())
		v, err := a.open(t.Context(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		entries := []kindEntry{{key1, value1, filetree.Kind(kind1 % 3)}, {key2, value2, filetree.Kind(kind2 % 3)}}
		putKinds(t, v, entries)
		a.open = func(context.Context, string, *kvault.Options) (*kvault.Vault, error) { return v, nil }
		if code := a.run(t.Context(), []string{"-f", "v", "export", "", target}); code != 0 && code != exitSome {
			t.Errorf("exit code %d", code)
		}
		outsideUnchanged(t, box)
		base, err := filepath.EvalSymlinks(target)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !filepath.IsLocal(e.key) {
				continue
			}
			real, err := filepath.EvalSymlinks(filepath.Join(target, e.key))
			if err == nil && real != base && !strings.HasPrefix(real, base+"/") {
				t.Errorf("%+v leads to %q", e, real)
			}
		}
	})
}
