package mem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Fault is what becomes of one call of a Single. The zero Fault leaves it as it is.
type Fault struct {
	// Err, if not nil, is the error of the call. Nothing takes effect, unless Done.
	Err error
	// Done says that the call takes effect nonetheless, as one whose reply was lost.
	Done bool
}

// SingleOptions decide what becomes of the calls of a Single. Each function may be nil, and may be
// called from several goroutines at once, before the call has looked at anything.
type SingleOptions struct {
	// Op is asked about each change, by Apply and by ApplyEach.
	Op func(op engine.Op) Fault
	// Commit is asked about each commit of a writable transaction of arrays, with its id. An Err of
	// engine.ErrConflict makes it lose to a writer that is not there.
	Commit func(id string) Fault
	// List returns an error with which List fails; Count asks it too, with a query of its range.
	List func(q engine.Query) error
	// MaxKey, if above 0, is the length in bytes of the longest key that can be stored. A longer one
	// is ErrTooLarge.
	MaxKey int
	// ForgetVersions makes a Blob fail with ErrTagMismatch once its version was replaced, renamed or
	// removed.
	ForgetVersions bool
}

// Single is a store in memory that makes one change at a time, as an object store does, for tests
// of what runs on such stores. It implements engine.EachApplier, engine.ArrayBeginner, engine.Checker
// and engine.Statser, and has no transactions, uploads and backups. It withholds what an object
// store would have to ask for: Found of a Put is false, and a listing of sizes has no metadata. It
// is safe for concurrent use.
type Single struct {
	store *Store
	o     SingleOptions

	mu      sync.Mutex // guards commits
	commits map[string]time.Time
}

var (
	_ engine.EachApplier   = (*Single)(nil)
	_ engine.ArrayBeginner = (*Single)(nil)
	_ engine.Checker       = (*Single)(nil)
	_ engine.Statser       = (*Single)(nil)
)

// NewSingle returns an empty store. o may be nil.
func NewSingle(o *SingleOptions) *Single {
	s := &Single{store: New(), commits: map[string]time.Time{}}
	if o != nil {
		s.o = *o
	}
	return s
}

// Get returns a copy of the value of key.
func (s *Single) Get(ctx context.Context, key string) ([]byte, error) {
	return s.store.Get(ctx, key)
}

// Stat describes key.
func (s *Single) Stat(ctx context.Context, key string) (engine.Entry, error) {
	return s.store.Stat(ctx, key)
}

// Open returns the present version of the value of key.
func (s *Single) Open(ctx context.Context, key string) (engine.Blob, error) {
	b, err := s.store.Open(ctx, key)
	if err != nil || !s.o.ForgetVersions {
		return b, err
	}
	return &forgetful{b, s.store}, nil
}

// forgetful is a blob that reads the version of its key as long as that is there.
type forgetful struct {
	engine.Blob
	store *Store
}

// ReadAt fails with ErrTagMismatch if the version is gone.
func (b *forgetful) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := b.Blob.ReadAt(ctx, p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	opened := b.Entry()
	now, serr := b.store.Stat(ctx, opened.Key)
	switch {
	case errors.Is(serr, engine.ErrNotFound) || serr == nil && now.Meta.Tag != opened.Meta.Tag:
		return 0, fmt.Errorf("the version of %q that was opened is gone: %w",
			opened.Key, engine.ErrTagMismatch)
	case serr != nil:
		return 0, serr
	}
	return n, err
}

// List returns the first page of a query.
func (s *Single) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	if err := s.listing(q); err != nil {
		return engine.Page{}, err
	}
	page, err := s.store.List(ctx, q)
	if q.Sizes {
		for i := range page.Items {
			page.Items[i].Meta = engine.Meta{}
		}
	}
	return page, err
}

// Count returns how many keys lie in r.
func (s *Single) Count(ctx context.Context, r engine.Range) (int64, error) {
	if err := s.listing(engine.Query{Range: r}); err != nil {
		return 0, err
	}
	return s.store.Count(ctx, r)
}

func (s *Single) listing(q engine.Query) error {
	if s.o.List == nil {
		return nil
	}
	return s.o.List(q)
}

// Stage starts an invisible value.
func (s *Single) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	return s.store.Stage(ctx, o)
}

// Apply performs one op; more are ErrUnsupported.
func (s *Single) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := engine.CheckSingle(ops); err != nil {
		return nil, err
	}
	var f Fault
	if s.o.Op != nil && len(ops) == 1 {
		f = s.o.Op(ops[0])
	}
	if f.Err != nil && !f.Done {
		return nil, &engine.OpError{Key: ops[0].Key, Err: f.Err}
	}
	if err := s.fits(ops); err != nil {
		return nil, err
	}
	results, err := s.store.Apply(ctx, ops)
	if f.Err != nil {
		return nil, &engine.OpError{Key: ops[0].Key, Err: f.Err}
	}
	if err == nil && len(ops) == 1 && ops[0].Kind == engine.Put {
		results[0].Found = false
	}
	return results, err
}

// fits fails if an op stores a key that is too long.
func (s *Single) fits(ops []engine.Op) error {
	if s.o.MaxKey < 1 || len(ops) == 0 {
		return nil
	}
	op, key := ops[0], ""
	switch op.Kind {
	case engine.Put:
		key = op.Key
	case engine.Rename, engine.Copy:
		key = op.To
	}
	if len(key) <= s.o.MaxKey {
		return nil
	}
	err := fmt.Errorf("key of %d bytes, the limit is %d: %w", len(key), s.o.MaxKey, engine.ErrTooLarge)
	return &engine.OpError{Key: op.Key, Err: err}
}

// eachAtOnce is how many ops ApplyEach performs at once.
const eachAtOnce = 8

// ApplyEach performs each op by itself, eight at once.
func (s *Single) ApplyEach(ctx context.Context, ops []engine.Op) ([]engine.Result, []error) {
	results, errs := make([]engine.Result, len(ops)), make([]error, len(ops))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(eachAtOnce, len(ops)) {
		wg.Go(func() {
			for i := range next {
				done, err := s.Apply(ctx, ops[i:i+1])
				if oe := (*engine.OpError)(nil); errors.As(err, &oe) {
					err = oe.Err
				}
				if errs[i] = err; err == nil {
					results[i] = done[0]
				}
			}
		})
	}
	for i := range ops {
		next <- i
	}
	close(next)
	wg.Wait()
	return results, errs
}

// Check compares each value with its checksum.
func (s *Single) Check(
	ctx context.Context, report func(engine.Problem), progress func(done, total int64),
) error {
	return s.store.Check(ctx, report, progress)
}

// Stats describes the store.
func (s *Single) Stats(ctx context.Context) (engine.Stats, error) { return s.store.Stats(ctx) }

// Close releases the store.
func (s *Single) Close() error { return s.store.Close() }
