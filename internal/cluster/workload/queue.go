package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/kohakuvault/kvault"
)

// Queue has writers that put new values under keys that are free, and poppers that take them away.
// Each acknowledged value must come out exactly once.
type Queue struct {
	Prefix                  string
	Writers, Poppers, Slots int
	Report

	mu    sync.Mutex
	next  uint64
	items map[uint64]*item // by version
}

// item is one value on its way.
type item struct {
	key string
	// acked: the put returned nil. refused: it found the key taken, so nothing was stored.
	acked, refused bool
	popped         int
}

// Run goes on until ctx ends. Drain must follow.
func (q *Queue) Run(ctx context.Context, v Vault) {
	q.items = map[uint64]*item{}
	parallel(q.Writers+q.Poppers, func(i int) {
		for ctx.Err() == nil {
			key := fmt.Sprint(q.Prefix, rand.N(q.Slots))
			if i < q.Writers {
				q.put(ctx, v, key)
			} else {
				_ = q.pop(ctx, v, key)
			}
		}
	})
}

func (q *Queue) put(ctx context.Context, v Vault, key string) {
	q.mu.Lock()
	q.next++
	version := q.next
	it := &item{key: key}
	q.items[version] = it
	q.mu.Unlock()
	err := q.call(ctx, func(ctx context.Context) error {
		_, err := v.PutWith(ctx, key, newValue(key, version, rand.N(2048)), &kvault.PutOptions{IfAbsent: true})
		return err
	}, kvault.ErrExists)
	q.mu.Lock()
	defer q.mu.Unlock()
	it.acked, it.refused = err == nil, errors.Is(err, kvault.ErrExists)
}

// pop takes the value of a key, if there is one. Only an error other than that leaves open what
// happened.
func (q *Queue) pop(ctx context.Context, v Vault, key string) error {
	var value []byte
	err := q.read(ctx, func(ctx context.Context) (err error) {
		value, err = v.Pop(ctx, key)
		return err
	}, notFound...)
	if err != nil {
		return err
	}
	version, err := checkValue(key, value)
	q.mu.Lock()
	it := q.items[version]
	if it != nil {
		it.popped++
	}
	q.mu.Unlock()
	if err != nil || it == nil || it.key != key {
		q.wrong("popped %s: version %d: %v", key, version, err)
	}
	return nil
}

// Drain pops what is left, and holds all that came out against what was put. It is called when all
// faults have ended.
func (q *Queue) Drain(ctx context.Context, v Vault) error {
	for i := range q.Slots {
		key := fmt.Sprint(q.Prefix, i)
		for {
			err := q.pop(ctx, v, key)
			if errors.Is(err, kvault.ErrNotFound) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	missing := int64(0)
	for version, it := range q.items {
		switch {
		case it.popped > 1:
			q.wrong("%s: version %d came out %d times", it.key, version, it.popped)
		case it.popped == 1 && it.refused:
			q.wrong("%s: version %d came out, although the key was taken when it was put", it.key, version)
		case it.popped == 0 && it.acked:
			missing++
		}
	}
	// A pop that failed may have removed its value, one at most.
	if missing > q.Unread {
		q.wrong("%d acknowledged values are missing, and only %d pops failed", missing, q.Unread)
	}
	q.NotKnown = missing
	return nil
}

// Popped returns how many values came out.
func (q *Queue) Popped() (n int) {
	for _, it := range q.items {
		n += it.popped
	}
	return n
}
