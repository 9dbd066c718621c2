package kvault

import (
	"context"
	"iter"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// ListOptions select the keys that a listing visits. Nil and the zero value select all, in
// ascending bytewise order.
type ListOptions struct {
	// Prefix selects the keys that begin with it.
	Prefix string
	// Start and End select the keys from Start on, up to but without End; empty means no bound.
	Start, End string
	// Reverse goes from the last key to the first.
	Reverse bool
	// Limit is the most entries to yield. Default 0: no limit.
	Limit int
	// Delimiter, if not empty, joins all keys with the same text from Prefix to the next Delimiter
	// into one Folder entry: "/" lists the files of a folder and the folders in it. A folder costs
	// one look-up, however many keys it has.
	Delimiter string
	// NoMetadata has List yield entries of which only Key, Size and Folder are set, which takes about
	// a third less time. Other calls ignore it.
	NoMetadata bool
}

// List yields the entries of keys without reading their values. If it fails, it yields the error
// with a zero Entry and ends.
//
// List reads pages of up to 1000 keys, each of one snapshot. Writes may happen between two pages: a
// key that exists all the time is yielded once, one that is added or removed meanwhile may be
// yielded or not. Use View to list one snapshot. Between pages List holds nothing open: the loop
// may call any method, and may end at any point.
func (v *Vault) List(ctx context.Context, o *ListOptions) iter.Seq2[Entry, error] {
	return list(ctx, v, o)
}

// Keys yields the keys of List without the entries; a folder's key is the common prefix. Several
// keys may share one allocation of about 1 KiB, which lives as long as any of them. To keep a few,
// use strings.Clone.
func (v *Vault) Keys(ctx context.Context, o *ListOptions) iter.Seq2[string, error] {
	return keys(ctx, v, o)
}

// Values yields values in the order of their keys. With a Delimiter, folders are left out.
func (v *Vault) Values(ctx context.Context, o *ListOptions) iter.Seq2[[]byte, error] {
	return values(ctx, v, o)
}

// Items yields entries with their values, as List does without. A page holds 4 MiB of values, or
// one larger value. Before the error of a damaged value it yields all stored items that come before
// that; of pending ones those that come before the page of the damaged value.
// The error is an *Error whose Key is that of the value: to go on behind it, call Items again with
// Start set to that key and a zero byte, or in reverse with End set to the key.
func (v *Vault) Items(ctx context.Context, o *ListOptions) iter.Seq2[Item, error] {
	return items(ctx, v, o)
}

// Len returns the number of keys.
func (v *Vault) Len(ctx context.Context) (int64, error) { return length(ctx, v) }

// Count returns the number of keys that begin with Prefix and lie between Start and End. It ignores
// the other options.
func (v *Vault) Count(ctx context.Context, o *ListOptions) (int64, error) { return count(ctx, v, o) }

func list(ctx context.Context, s executor, o *ListOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		walk(ctx, s, o, entriesOnly, func(it Item, err error) bool { return yield(it.Entry, err) })
	}
}

func keys(ctx context.Context, s executor, o *ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := walker{yieldKey: func(key string) bool { return yield(key, nil) }}
		w.walk(ctx, s, o, keysOnly, func(it Item, err error) bool { return yield(it.Key, err) })
	}
}

func values(ctx context.Context, s executor, o *ListOptions) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		walk(ctx, s, o, valuesOnly, func(it Item, err error) bool { return yield(it.Value, err) })
	}
}

func items(ctx context.Context, s executor, o *ListOptions) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) { walk(ctx, s, o, entriesAndValues, yield) }
}

func length(ctx context.Context, s executor) (int64, error) {
	n, err := s.count(ctx, engine.Range{})
	return n, fail("len", "", err)
}

func count(ctx context.Context, s executor, o *ListOptions) (int64, error) {
	if o == nil {
		o = &ListOptions{}
	}
	n, err := s.count(ctx, o.keyRange())
	return n, fail("count", o.Prefix, err)
}

func (o *ListOptions) keyRange() engine.Range {
	return engine.PrefixRange(o.Prefix).Intersect(engine.Range{Start: o.Start, End: o.End})
}

// Sizes of pages. They grow during a listing, so that its first items come quickly.
const (
	firstPage    = 64
	largestPage  = 1000
	folderPage   = 16 // after a page whose keys were mostly within a folder
	bytesPerPage = 4 << 20
)

// projection is the part of each item that a listing yields.
type projection uint8

const (
	keysOnly projection = iota
	entriesOnly
	entriesAndValues
	valuesOnly // so no folders
)

// walk yields the items that o asks for.
func walk(ctx context.Context, s executor, o *ListOptions, want projection, yield func(Item, error) bool) {
	new(walker).walk(ctx, s, o, want, yield)
}

func (w *walker) walk(ctx context.Context, s executor, o *ListOptions, want projection, yield func(Item, error) bool) {
	if o == nil {
		o = &ListOptions{}
	}
	if o.Limit < 0 {
		yield(Item{}, fail("list", "", invalid("Limit %d is negative", o.Limit)))
		return
	}
	w.o, w.yield, w.want, w.size = o, yield, want, firstPage
	w.q = engine.Query{Range: o.keyRange(), Reverse: o.Reverse, Values: want > entriesOnly, MaxBytes: bytesPerPage}
	w.q.Sizes = o.NoMetadata && want == entriesOnly
	switch v, ok := s.(*Vault); {
	case o.Delimiter != "":
		w.size = folderPage
	case ok && want == keysOnly && v.oneByOne():
		w.size = largestPage // a server takes as long for a short page
	}
	// At least one page is read, even of an empty range, so that a closed vault returns its error.
	for {
		w.q.Limit = w.size
		if o.Limit > 0 {
			w.q.Limit = min(w.size, o.Limit-w.shown)
		}
		p, err := s.page(ctx, w.q, want, w.keys[:0])
		if err != nil {
			key := o.Prefix
			if oe, ok := err.(*engine.OpError); ok {
				key = oe.Key
			}
			yield(Item{}, fail("list", key, err))
			return
		}
		w.keys = p.keys // the caller has its strings; the slice serves the next page
		if !w.show(p) || !p.more || !w.advance(p.next) {
			return
		}
	}
}

// walker is the state of a listing.
type walker struct {
	o     *ListOptions
	q     engine.Query
	yield func(Item, error) bool
	// yieldKey is for pages of keys.
	yieldKey func(string) bool
	want     projection
	keys     []string // of the current page
	size     int      // of the next page
	shown    int
	// folder is the last folder yielded, or empty.
	folder string
}

// show yields a page and reports whether to go on.
func (w *walker) show(p page) bool {
	before := w.shown
	for _, it := range p.items {
		if w.inFolder(it.Key) {
			continue
		}
		if w.q.Sizes {
			it.Meta = engine.Meta{} // an engine, or the cache, may have it all the same
		}
		item := Item{Entry: entryOf(it.Entry), Value: it.Value}
		if w.enters(it.Key) {
			item = Item{Entry: Entry{Key: w.folder, Folder: true}}
		}
		if item.Folder && w.want == valuesOnly {
			continue
		}
		if !w.yield(item, nil) || w.isLast() {
			return false
		}
	}
	for _, key := range p.keys {
		if w.inFolder(key) {
			continue
		}
		if w.enters(key) {
			key = w.folder
		}
		if !w.yieldKey(key) || w.isLast() {
			return false
		}
	}
	if (w.shown-before)*4 >= len(p.items)+len(p.keys) {
		w.size = min(w.size*2, largestPage)
	} else {
		w.size = folderPage
	}
	return true
}

// isLast counts an item as yielded, and reports whether the limit is reached.
func (w *walker) isLast() bool {
	w.shown++
	return w.shown == w.o.Limit
}

// inFolder reports whether a key is in the last folder yielded.
func (w *walker) inFolder(key string) bool { return w.folder != "" && strings.HasPrefix(key, w.folder) }

// enters reports whether a key is in a folder, which is then yielded in its place, and makes it the
// last folder.
func (w *walker) enters(key string) bool {
	if w.o.Delimiter == "" {
		return false
	}
	inner := key[len(w.o.Prefix):]
	i := strings.Index(inner, w.o.Delimiter)
	if i >= 0 {
		w.folder = key[:len(w.o.Prefix)+i+len(w.o.Delimiter)]
	}
	return i >= 0
}

// advance narrows the query to next, past the rest of the last folder, and reports whether any key
// may remain.
func (w *walker) advance(next engine.Range) bool {
	if w.folder != "" {
		inside := engine.PrefixRange(w.folder)
		switch {
		case w.o.Reverse && (next.End == "" || next.End > w.folder):
			next.End = w.folder
		case !w.o.Reverse && inside.End == "":
			return false
		case !w.o.Reverse:
			next.Start = max(next.Start, inside.End)
		}
	}
	w.q.Range = next
	return !next.Empty()
}
