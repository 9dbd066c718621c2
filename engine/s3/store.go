package s3

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/client"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/columns"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Options configure Open. Nil and the zero value are good.
type Options struct {
	// Parallel is how many requests a call makes at once where it can. Default 16.
	Parallel int
	// PartSize is the largest value that is one object, and the size in bytes of the parts of
	// larger ones. Default 8 MiB, from 5 to 32 MiB. A stream holds a few parts in memory.
	PartSize int
	// Grace is how long data that no key names is kept at least, for readers of the version that
	// was replaced and for writers that are not done. A stream above PartSize that pauses for half
	// as long, or rests so long before it is applied, fails with engine.ErrSwept. Default 24 hours,
	// at least one. All programs that use the same vault give the same.
	Grace time.Duration
	// ReadOnly fails every change with engine.ErrReadOnly. Open writes nothing then, so credentials
	// that may list and get are enough, and it does not find out whether the server honours
	// conditions.
	ReadOnly bool
	// DisableVerification returns values without comparing them with their checksums.
	DisableVerification bool
}

const (
	defaultParallel = 16
	defaultPart     = 8 << 20
	maxPart         = maxPointer / 2 // a pointer may hold a value of a part, and metadata
	defaultGrace    = 24 * time.Hour
)

func (o *Options) resolved() Options {
	r := Options{}
	if o != nil {
		r = *o
	}
	if r.Parallel <= 0 {
		r.Parallel = defaultParallel
	}
	if r.PartSize == 0 {
		r.PartSize = defaultPart
	}
	r.PartSize = min(max(r.PartSize, object.MinPart), maxPart)
	if r.Grace <= 0 {
		r.Grace = defaultGrace
	}
	r.Grace = max(r.Grace, time.Hour)
	return r
}

// Store is a vault in a bucket. It is safe for concurrent use, as are several on one bucket.
type Store struct {
	b       object.Bucket
	prefix  string
	o       Options
	closed  atomic.Bool
	columns *columns.Columns
	// life ends when the store is closed: what is sent in the background ends with it.
	life   context.Context
	end    context.CancelFunc
	staged atomic.Int64 // stages that are neither applied nor aborted
}

var (
	_ engine.EachApplier   = (*Store)(nil)
	_ engine.ArrayBeginner = (*Store)(nil)
	_ engine.ValueAppender = (*Store)(nil)
	_ engine.RangeReader   = (*Store)(nil)
	_ engine.KeyLister     = (*Store)(nil)
	_ engine.Tagger        = (*Store)(nil)
	_ engine.Optimizer     = (*Store)(nil)
	_ engine.Checker       = (*Store)(nil)
	_ engine.Statser       = (*Store)(nil)
)

// Open opens the vault at an address like "s3://BUCKET/PREFIX?endpoint=https://HOST". The bucket
// must exist; the vault need not. endpoint may name several gateways of one cluster with commas
// between them. Without it, and for region, profile and credentials, the rules of the AWS tools
// hold; region=NAME and profile=NAME can be given, too. Close the store when done.
//
// Open fails after some 5 seconds if it can connect to nothing at the endpoint. Later, calls wait
// for servers that are away for half a minute.
//
// Errors: engine.ErrInvalid for an address that is none, and engine.ErrUnsupported if the server
// ignores the conditions by which writers keep out of each other's way, which Open tries out with
// objects that it removes.
func Open(ctx context.Context, address string, o *Options) (*Store, error) {
	c, err := client.Parse(address)
	if err != nil {
		return nil, err
	}
	if err := codec.CheckPrefix(c.Prefix); err != nil {
		return nil, err
	}
	opt := o.resolved()
	c.Parallel, c.ReadOnly = 4*opt.Parallel, opt.ReadOnly
	b, err := client.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return newStore(b, c.Prefix, opt), nil
}

func newStore(b object.Bucket, prefix string, o Options) *Store {
	s := &Store{b: b, prefix: prefix, o: o}
	s.life, s.end = context.WithCancel(context.Background())
	s.columns = columns.New(b, prefix, columns.Options{Alive: s.alive})
	return s
}

// Close releases the store.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.end()
	return s.b.Close()
}

func (s *Store) alive() error {
	if s.closed.Load() {
		return engine.ErrClosed
	}
	return nil
}

// ready fails if the store is closed, or ctx has ended.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Load() {
		return engine.ErrClosed
	}
	return engine.ContextErr(ctx)
}

// writable is ready for a change.
func (s *Store) writable(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if s.o.ReadOnly {
		return engine.ErrReadOnly
	}
	return nil
}

// BeginArrays starts a transaction of arrays.
func (s *Store) BeginArrays(ctx context.Context, writable bool) (engine.ArrayTx, error) {
	check := s.ready
	if writable {
		check = s.writable
	}
	if err := check(ctx); err != nil {
		return nil, err
	}
	tx, err := s.columns.Begin(ctx, writable)
	return tx, s.explain(ctx, err)
}

// newTag is a version tag as the vault makes them.
func newTag() string {
	const width = 16
	s := strconv.FormatUint(rand.Uint64(), 16)
	return "0000000000000000"[:width-len(s)] + s
}
