package mem

import (
	"context"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/kohakuvault/kvault/engine"
)

// Check compares each value with its checksum.
func (s *Store) Check(ctx context.Context, report func(engine.Problem), progress func(done, total int64)) error {
	t, err := s.at(ctx)
	if err != nil {
		return err
	}
	done, total := int64(0), int64(t.Len())
	for key, rec := range t.Ascend() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if sum := crc32.Checksum(rec.data, castagnoli); sum != rec.meta.Sum {
			report(engine.Problem{Key: key, Err: fmt.Errorf("%w: checksum is %08x, not %08x", engine.ErrCorrupt, sum, rec.meta.Sum)})
		}
		if done++; progress != nil {
			progress(done, total)
		}
	}
	return nil
}

// Stats describes the store. FileBytes is the length of all keys and values.
func (s *Store) Stats(ctx context.Context) (engine.Stats, error) {
	t, err := s.at(ctx)
	if err != nil {
		return engine.Stats{}, err
	}
	st := engine.Stats{Engine: "memory", Location: ":memory:", Staged: s.stages.Load() + s.countUploads()}
	for key, rec := range t.Ascend() {
		st.FileBytes += int64(len(key) + len(rec.data))
	}
	st.Detail = map[string]string{"keys": strconv.Itoa(t.Len())}
	return st, nil
}
