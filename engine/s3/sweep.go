package s3

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// tombstoneAge is how old a tombstone must be before it is removed. A gateway that was stopped
// carries out what it had accepted when it goes on: a put under a new key would bring back what was
// deleted. After 15 minutes its signature is too old.
const tombstoneAge = 20 * time.Minute

// Optimize removes what no key needs: tombstones older than 20 minutes, data that no pointer names,
// what aborted streams left, and the same of columns. It may run beside writers, on several
// machines at once, and be interrupted: the next call continues. Data is marked by the first call
// that finds it without a name, and removed by one that comes Options.Grace after that.
func (s *Store) Optimize(ctx context.Context, progress func(done, total int64)) error {
	_, err := s.sweep(ctx, time.Time{}, progress)
	return err
}

// Shrink is Optimize within a time. It returns how many bytes of data it removed.
func (s *Store) Shrink(ctx context.Context, budget time.Duration) (int64, error) {
	return s.sweep(ctx, time.Now().Add(budget), nil)
}

// sweeping is one sweep.
type sweeping struct {
	s        *Store
	now      time.Time // by the clock of the server
	until    time.Time // zero if there is no bound
	done     int64
	progress func(done, total int64)
	wanted   map[string]bool // data objects of streams that go on

	mu    sync.Mutex
	bytes int64 // removed
}

var errBudget = errors.New("the time is used up")

func (s *Store) sweep(ctx context.Context, until time.Time, progress func(done, total int64)) (int64, error) {
	if err := s.writable(ctx); err != nil {
		return 0, err
	}
	w := &sweeping{s: s, wanted: map[string]bool{}, until: until, progress: progress}
	err := w.all(ctx)
	if errors.Is(err, errBudget) {
		err = nil
	}
	return w.bytes, s.explain(ctx, err)
}

func (w *sweeping) all(ctx context.Context) (err error) {
	if w.now, err = w.s.clock(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{w.tombstones, w.data, w.unfinished, w.columns} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if w.progress != nil {
		w.progress(w.done, w.done)
	}
	return nil
}

// clock asks the server for its time, by way of an object.
func (s *Store) clock(ctx context.Context) (time.Time, error) {
	if err := s.repeat(ctx, s.prefix+clockName, nil); err != nil {
		return time.Time{}, err
	}
	i, err := s.b.Head(ctx, s.prefix+clockName)
	return i.Modified, err
}

// repeat stores an object that may be stored again without harm, so it is if there is no answer.
func (s *Store) repeat(ctx context.Context, name string, body []byte) (err error) {
	for range attempts {
		if _, err = s.b.Put(ctx, name, body, object.PutOptions{}); !errors.Is(err, object.ErrUnknown) {
			break
		}
	}
	return err
}

// page reports that n objects have been looked at.
func (w *sweeping) page(ctx context.Context, n int) error {
	w.done += int64(n)
	if w.progress != nil {
		w.progress(w.done, -1)
	}
	if !w.until.IsZero() && time.Now().After(w.until) {
		return errBudget
	}
	return w.s.ready(ctx)
}

// list calls fn with the objects below a directory, a page at a time.
func (w *sweeping) list(ctx context.Context, prefix string, fn func([]object.Info) error) error {
	q := object.Query{Prefix: prefix, Limit: batch}
	for {
		p, err := w.s.b.List(ctx, q)
		if err != nil {
			return err
		}
		if err := fn(p.Objects); err != nil {
			return err
		}
		if err := w.page(ctx, len(p.Objects)); err != nil || !p.More {
			return err
		}
		q.After = p.Objects[len(p.Objects)-1].Key
	}
}

func (w *sweeping) old(i object.Info, age time.Duration) bool { return w.now.Sub(i.Modified) > age }

// tombstones removes those that are old. A writer that saw one names its ETag, and so fails rather
// than store what a delete of ours would take away.
func (w *sweeping) tombstones(ctx context.Context) error {
	if can := w.s.b.Abilities(); !can.DeleteIfMatch && !can.DeleteIfUnmodified {
		return nil // a plain delete could take a value that came meanwhile
	}
	return w.list(ctx, w.s.prefix+string(codec.Mark), func(list []object.Info) error {
		var dead []object.Info
		for _, i := range list {
			if !w.old(i, tombstoneAge) {
				continue
			}
			if is, err := w.s.isTombstone(ctx, i); err != nil {
				return err
			} else if is {
				dead = append(dead, i)
			}
		}
		return w.s.each(ctx, len(dead), func(ctx context.Context, i int) error {
			err := w.s.b.Delete(ctx, dead[i].Key, object.DeleteOptions{IfMatch: dead[i].ETag, UnmodifiedSince: dead[i].Modified})
			if errors.Is(err, object.ErrPrecondition) {
				return nil
			}
			return err
		})
	})
}

// data removes data objects that no key names. A key that is to name one gets a reference first: an
// object below .r/ with the name of the data and of the key. So a sweep need not read all pointers.
//
// It goes by these rules, in which old means for longer than Options.Grace, by the server's clock:
//
//   - Data that is not old, or that a stream has noted and the note is not old, stays.
//   - Data with a reference that is not old stays: its pointer may be about to be written.
//   - An old reference of whose key the pointer does not name the data is marked as dead, in its
//     place and under the condition that nobody has written it anew. The mark is not old.
//   - Data of which all references are marked, and all marks are old, is removed.
//
// An op notes its reference before it writes the pointer, which overwrites a mark, and fails if
// more than a quarter of Grace lies between reading a pointer and noting that another will lead to
// the same data. So when all marks are old, no pointer has named the data for as long, and no op is
// under way that could: see docs/s3-format.md.
func (w *sweeping) data(ctx context.Context) error {
	if err := w.streams(ctx); err != nil {
		return err
	}
	refs := references{w: w}
	err := w.list(ctx, w.s.prefix+dataDir, func(list []object.Info) (err error) {
		of := make([][]object.Info, len(list))
		for i, d := range list {
			if of[i], err = refs.of(ctx, path.Base(d.Key)); err != nil {
				return err
			}
		}
		return w.s.each(ctx, len(list), func(ctx context.Context, i int) error {
			name := path.Base(list[i].Key)
			if w.wanted[name] || !w.old(list[i], w.s.o.Grace) {
				return nil
			}
			return w.consider(ctx, list[i], of[i])
		})
	})
	if err != nil {
		return err
	}
	return refs.rest(ctx)
}

// consider removes a data object with its references, if the rules let it.
func (w *sweeping) consider(ctx context.Context, data object.Info, refs []object.Info) error {
	dead := true
	for _, ref := range refs {
		gone, err := w.dead(ctx, ref, path.Base(data.Key))
		if err != nil {
			return err
		}
		dead = dead && gone
	}
	if !dead {
		return nil
	}
	names := []string{data.Key}
	for _, ref := range refs {
		names = append(names, ref.Key)
	}
	if err := w.s.b.DeleteAll(ctx, names); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += data.Size
	return nil
}

// dead reports whether a reference has been marked as dead for long. One that is to be marked is.
func (w *sweeping) dead(ctx context.Context, ref object.Info, data string) (bool, error) {
	if !w.old(ref, w.s.o.Grace) {
		return false, nil
	}
	content, err := w.s.content(ctx, ref, codec.MaxName+100)
	if isGone(err) {
		return false, nil // the next sweep sees
	}
	if err != nil {
		return false, err
	}
	name, marked := splitReference(content)
	key, ok := keyOfReference(name)
	if !ok {
		return false, nil // nobody can tell which key may name the data
	}
	x, err := w.s.look(ctx, key)
	if err == nil {
		err = x.damaged
	}
	if err == nil {
		err = w.s.follow(ctx, x)
	}
	switch {
	case errors.Is(err, errReplaced), errors.Is(err, engine.ErrCorrupt), errors.Is(err, engine.ErrUnsupported):
		return false, nil // it may name the data
	case err != nil:
		return false, err
	case x.names(data):
		return false, nil
	}
	if marked {
		return true, nil
	}
	_, err = w.s.b.Put(ctx, ref.Key, reference(name, true), object.PutOptions{IfMatch: ref.ETag})
	if errors.Is(err, object.ErrPrecondition) || errors.Is(err, object.ErrUnknown) {
		err = nil
	}
	return false, err
}

func (x *state) names(data string) bool {
	if x.target == nil {
		return false
	}
	for _, d := range x.target.Data {
		if d.Name == data {
			return true
		}
	}
	return false
}

// references are those of all data objects, which are asked for in order.
type references struct {
	w     *sweeping
	after string
	list  []object.Info
	ended bool
}

// of returns the references to a data object. Those before it, to data that is gone, are removed.
func (r *references) of(ctx context.Context, data string) (found []object.Info, err error) {
	prefix := r.w.s.prefix + refDir + data + "/"
	for {
		ref, ok, err := r.peek(ctx)
		if err != nil || !ok {
			return found, err
		}
		switch {
		case strings.HasPrefix(ref.Key, prefix):
			found = append(found, ref)
		case ref.Key > prefix:
			return found, nil
		default:
			if err := r.lost(ctx, ref); err != nil {
				return nil, err
			}
		}
		r.list = r.list[1:]
	}
}

// peek returns the next reference, and false if there is none.
func (r *references) peek(ctx context.Context) (ref object.Info, ok bool, err error) {
	for len(r.list) == 0 && !r.ended {
		p, err := r.w.s.b.List(ctx, object.Query{Prefix: r.w.s.prefix + refDir, After: r.after, Limit: batch})
		if err != nil {
			return ref, false, err
		}
		if r.list, r.ended = p.Objects, !p.More; len(r.list) > 0 {
			r.after = r.list[len(r.list)-1].Key
		}
	}
	if len(r.list) == 0 {
		return ref, false, nil
	}
	return r.list[0], true, nil
}

// lost removes an old reference to data that is gone.
func (r *references) lost(ctx context.Context, ref object.Info) error {
	if !r.w.old(ref, r.w.s.o.Grace) {
		return nil // to data that is newer than the listing
	}
	data, _, _ := strings.Cut(strings.TrimPrefix(ref.Key, r.w.s.prefix+refDir), "/")
	if _, err := r.w.s.b.Head(ctx, r.w.s.dataName(data)); !errors.Is(err, object.ErrNotFound) {
		return err
	}
	return r.w.s.b.Delete(ctx, ref.Key, object.DeleteOptions{})
}

// rest goes through the references behind those of the last data object.
func (r *references) rest(ctx context.Context) error {
	_, err := r.of(ctx, "~")
	return err
}

// content reads a short object as it was listed.
func (s *Store) content(ctx context.Context, i object.Info, limit int64) ([]byte, error) {
	_, body, err := s.b.Get(ctx, i.Key, object.Range{Length: -1, IfMatch: i.ETag})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, limit))
}

// streams finds the data objects of streams that go on, and forgets those that do not.
func (w *sweeping) streams(ctx context.Context) error {
	return w.list(ctx, w.s.prefix+uploadDir, func(list []object.Info) error {
		for _, i := range list {
			if w.old(i, w.s.o.Grace) {
				// A stream notes nothing more if its last note is half as old.
				if err := w.s.b.Delete(ctx, i.Key, object.DeleteOptions{}); err != nil {
					return err
				}
				continue
			}
			content, err := w.s.content(ctx, i, maxPointer)
			if isGone(err) {
				if content, err = w.s.contentNow(ctx, i.Key, maxPointer); errors.Is(err, object.ErrNotFound) {
					continue
				}
			}
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(content)) {
				w.wanted[strings.TrimSpace(line)] = true
			}
		}
		return nil
	})
}

func (s *Store) contentNow(ctx context.Context, name string, limit int64) ([]byte, error) {
	return s.content(ctx, object.Info{Key: name}, limit)
}

// unfinished discards objects that were begun in parts and are not done.
func (w *sweeping) unfinished(ctx context.Context) error {
	list, err := w.s.b.Unfinished(ctx, w.s.prefix+dataDir)
	if err != nil {
		return err
	}
	for _, u := range list {
		if w.now.Sub(u.Begun) > w.s.o.Grace && !w.wanted[path.Base(u.Key)] {
			if err := w.s.b.Abort(ctx, u.Key, u.ID); err != nil {
				return err
			}
		}
	}
	return w.page(ctx, len(list))
}

func (w *sweeping) columns(ctx context.Context) error {
	swept, err := w.s.columns.Sweep(ctx, w.now, func(n int) error { return w.page(ctx, n) })
	w.bytes += swept.Bytes
	return err
}
