package cli

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

// shownKeys is how many of the keys to delete a question names; it counts the others.
const shownKeys = 100

// lister is a vault or a transaction.
type lister interface {
	List(ctx context.Context, o *kvault.ListOptions) iter.Seq2[kvault.Entry, error]
	Keys(ctx context.Context, o *kvault.ListOptions) iter.Seq2[string, error]
}

// selection is the keys in a folder, or those that match a pattern; the zero value is every key.
type selection struct {
	prefix string
	glob   *glob
}

// selectFlags are the flags that name many keys at once.
type selectFlags struct{ prefix, glob string }

func (f *selectFlags) register(a *app, cmd *cobra.Command, verb string) {
	cmd.Flags().StringVar(&f.prefix, "prefix", "", verb+" every key in the folder `PREFIX`")
	cmd.Flags().StringVar(&f.glob, "glob", "", verb+" every key that matches `GLOB`")
	_ = cmd.RegisterFlagCompletionFunc("prefix", a.completeFolder)
	_ = cmd.RegisterFlagCompletionFunc("glob", a.completeKeyFlag)
}

func (f *selectFlags) given() bool { return f.prefix != "" || f.glob != "" }

func (f *selectFlags) selection(command string) (s selection, err error) {
	if f.prefix != "" && f.glob != "" {
		return s, usagef("%s: --prefix and --glob exclude each other", command)
	}
	if f.glob != "" {
		s.glob, err = parseGlob("glob", f.glob)
	}
	s.prefix = folderPrefix(f.prefix)
	return s, err
}

// list yields the entries selected.
func (s selection) list(ctx context.Context, l lister) iter.Seq2[kvault.Entry, error] {
	if s.glob == nil {
		return l.List(ctx, &kvault.ListOptions{Prefix: s.prefix})
	}
	return func(yield func(kvault.Entry, error) bool) {
		for e, err := range l.List(ctx, &kvault.ListOptions{Prefix: s.glob.fixed}) {
			if (err != nil || s.glob.match(e.Key)) && !yield(e, err) {
				return
			}
		}
	}
}

// keys yields the keys selected: an object store lists them far faster than entries.
func (s selection) keys(ctx context.Context, l lister) iter.Seq2[string, error] {
	if s.glob == nil {
		return l.Keys(ctx, &kvault.ListOptions{Prefix: s.prefix})
	}
	return func(yield func(string, error) bool) {
		for key, err := range l.Keys(ctx, &kvault.ListOptions{Prefix: s.glob.fixed}) {
			if (err != nil || s.glob.match(key)) && !yield(key, err) {
				return
			}
		}
	}
}

// inWords is n keys with what selected them.
func (s selection) inWords(n int64, flags selectFlags) string {
	keys := countInWords(n, "key")
	switch {
	case s.glob != nil:
		return fmt.Sprintf("%s matching %q", keys, flags.glob)
	case s.prefix == "":
		return keys + " (all there are)"
	}
	return fmt.Sprintf("%s beginning with %q", keys, s.prefix)
}

// none is the error if no key was selected.
func (s selection) none(flags selectFlags) error {
	err := errors.New("there are no keys")
	switch {
	case s.glob != nil:
		err = fmt.Errorf("no key matches %q", flags.glob)
	case s.prefix != "":
		err = fmt.Errorf("no key begins with %q", s.prefix)
	}
	return &exitError{code: exitNotFound, err: err}
}

// digest identifies a list of entries and their versions.
type digest struct {
	keys int64
	sum  [sha256.Size]byte
}

// digest lists the entries selected, each of which visit gets if it is not nil.
func (s selection) digest(
	ctx context.Context, l lister, visit func(kvault.Entry),
) (d digest, err error) {
	h := sha256.New()
	var b []byte
	for e, err := range s.list(ctx, l) {
		if err != nil {
			return d, err
		}
		d.keys++
		b = binary.AppendUvarint(b[:0], uint64(len(e.Key)))
		b = append(append(b, e.Key...), e.Tag...)
		h.Write(binary.AppendVarint(b, e.Size))
		if visit != nil {
			visit(e)
		}
	}
	h.Sum(d.sum[:0])
	return d, nil
}

// show lists on standard error what is selected, up to shownKeys, and identifies all of it.
func (a *app) show(ctx context.Context, v *kvault.Vault, s selection) (digest, error) {
	var first []string
	d, err := s.digest(ctx, v, func(e kvault.Entry) {
		if len(first) < shownKeys {
			first = append(first, e.Key)
		}
	})
	if err != nil {
		return d, err
	}
	a.tellKeys(first, d.keys)
	return d, nil
}

// tellKeys lists on standard error the first of n keys.
func (a *app) tellKeys(first []string, n int64) {
	for _, key := range first {
		a.tell("  %s\n", asPrinted(key))
	}
	if more := n - int64(len(first)); more > 0 {
		a.tell("  and %s more; --dry-run lists them all\n", countInWords(more, "key"))
	}
}

// asPrinted is a key in a message: quoted if it would not print as it is.
func asPrinted(key string) string {
	if plain(key) {
		return key
	}
	return strconv.Quote(key)
}
