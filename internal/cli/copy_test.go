package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// copyAsked copies on terminals, and has first run before it answers the question.
func copyAsked(ctx context.Context, answer string, first func(), args ...string) outcome {
	var out, errs strings.Builder
	code := Run(ctx, append([]string{"copy"}, args...), IO{
		In: &answering{first, strings.NewReader(answer)}, Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return true },
	})
	return outcome{code, out.String(), errs.String()}
}

// TestCopyAsks before it deletes: only yes deletes, an interrupt does not, and what others change
// while it waits for the answer stays.
func TestCopyAsks(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.kv"), filepath.Join(dir, "to.kv")
	put := func(file string, keys ...string) {
		t.Helper()
		v, err := kvault.Open(t.Context(), file, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for _, key := range keys {
			if err := v.Put(t.Context(), key, []byte("v")); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func() string {
		t.Helper()
		v, err := kvault.Open(t.Context(), to, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		var keys []string
		for key, err := range v.Keys(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		return strings.Join(keys, " ")
	}
	put(from, "k")
	put(to, "gone\x1b", "kept")
	question := "  \"gone\\x1b\"\n  kept\nDelete 2 items that FROM does not have? [y/N] "
	for _, no := range []string{"n\n", "\n", "", "maybe\n"} {
		o := copyAsked(t.Context(), no, nil, from, to, "--delete")
		if o.code != exitFailure || !strings.Contains(o.err, question) ||
			!strings.Contains(o.err, "kvault: nothing was deleted\n") {
			t.Errorf("answer %q: %+v", no, o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if o := copyAsked(ctx, "y\n", cancel, from, to, "--delete"); o.code != exitInterrupted {
		t.Errorf("interrupted: %+v", o)
	}
	if got := left(); got != "gone\x1b k kept" {
		t.Errorf("left: %q", got)
	}
	o := copyAsked(t.Context(), "y\n", func() { put(to, "kept") }, from, to, "--delete")
	if o.code != 0 || !strings.Contains(o.err, "1 unchanged, 1 deleted, in") ||
		!strings.Contains(o.err, "Not deleted: 1 item that changed after the list was made.") {
		t.Errorf("%+v", o)
	}
	if got := left(); got != "k kept" {
		t.Errorf("left: %q", got)
	}
}
