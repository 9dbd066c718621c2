package kvault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// model lists keys as ListOptions are documented, in the plainest way.
func model(keys []string, o kvault.ListOptions) []string {
	var out []string
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if !strings.HasPrefix(key, o.Prefix) || key < o.Start || o.End != "" && key >= o.End {
			continue
		}
		if o.Delimiter != "" {
			if i := strings.Index(key[len(o.Prefix):], o.Delimiter); i >= 0 {
				key = key[:len(o.Prefix)+i+len(o.Delimiter)]
			}
		}
		if len(out) == 0 || out[len(out)-1] != key {
			out = append(out, key)
		}
	}
	if o.Reverse {
		slices.Reverse(out)
	}
	if o.Limit > 0 {
		out = out[:min(len(out), o.Limit)]
	}
	return out
}

// TestListOptions compares listings with the model while keys are stored, pending, deleted and
// being flushed.
func TestListOptions(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	var keys []string
	for _, dir := range []string{"", "a", "a/", "a/b/", "a-/", "b::", "b::c/", "\xff/", "\xff\xff"} {
		for i := range 40 {
			keys = append(keys, fmt.Sprintf("%s%d", dir, i))
		}
	}
	for i, key := range keys {
		if i%4 == 0 || i%4 == 1 {
			put(t, v, key, "stored")
		}
	}
	enable(t, v, 1<<20, 1<<20)
	live := cacheSome(t, v, keys)
	check := func(t *testing.T) {
		for _, o := range listings() {
			want := model(live, o)
			if got := collect(t, v, &o); !slices.Equal(got, want) {
				t.Errorf("%+v: %d entries, want %d:\n%q\n%q", o, len(got), len(want), got, want)
			}
			if o.Delimiter == "" && o.Limit == 0 {
				if n, err := v.Count(t.Context(), &o); err != nil || n != int64(len(want)) {
					t.Errorf("%+v: Count = %d, %v; want %d", o, n, err, len(want))
				}
			}
		}
	}
	t.Run("pending", check)
	reached, release := f.block("apply")
	done := make(chan error)
	go func() {
		_, err := v.FlushCache(t.Context())
		done <- err
	}()
	<-reached
	t.Run("flushing", check)
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Run("flushed", check)
}

// cacheSome replaces every second stored key, deletes every fourth, adds others, and returns the
// keys that are there now.
func cacheSome(t *testing.T, v *kvault.Vault, keys []string) (live []string) {
	t.Helper()
	for i, key := range keys {
		switch i % 4 {
		case 0:
			live = append(live, key)
		case 1:
			if found, err := v.Delete(t.Context(), key); err != nil || !found {
				t.Fatal(found, err)
			}
		case 2:
			put(t, v, key, "pending")
			live = append(live, key)
		}
	}
	return live
}

func listings() (all []kvault.ListOptions) {
	for _, prefix := range []string{"", "a", "a/", "b:", "\xff", "none"} {
		for _, delimiter := range []string{"", "/", "::", "1"} {
			for _, reverse := range []bool{false, true} {
				for _, limit := range []int{0, 1, 7} {
					o := kvault.ListOptions{Prefix: prefix, Delimiter: delimiter, Reverse: reverse, Limit: limit}
					all = append(all, o)
					o.Start, o.End = "a/1", "b::2"
					all = append(all, o)
				}
			}
		}
	}
	return append(all, kvault.ListOptions{Start: "b", End: "a"}, kvault.ListOptions{Start: "\xff\xff\xff"})
}
