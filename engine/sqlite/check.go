package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// checkPage is how many keys Check looks at in one snapshot.
const checkPage = 256

// Check runs SQLite's own integrity check and then reads every value against its checksum. Values that another program wrote
// have none, and are only read.
func (s *Store) Check(ctx context.Context, report func(engine.Problem), progress func(done, total int64)) error {
	total, err := s.Count(ctx, engine.Range{})
	if err != nil {
		return err
	}
	if err := s.read(ctx, s.streams, true, func(ses *session) error { return ses.checkStructure(report) }); err != nil {
		return err
	}
	done := int64(0)
	rng := engine.Range{}
	for more := true; more; {
		err := s.read(ctx, s.streams, true, func(ses *session) error {
			page, err := ses.list(engine.Query{Range: rng, Limit: checkPage})
			if err != nil {
				return err
			}
			for _, item := range page.Items {
				if err := ses.checkValue(ctx, item.Key, report); err != nil {
					return err
				}
				rng = rng.After(item.Key, false)
				if done++; progress != nil {
					progress(min(done, total), total)
				}
			}
			more = page.More
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (ses *session) checkStructure(report func(engine.Problem)) error {
	st, err := ses.c.Prepare(`PRAGMA integrity_check(100)`)
	if err != nil {
		return err
	}
	defer st.Reset()
	for {
		there, err := st.Step()
		if err != nil || !there {
			return err
		}
		if msg := st.ColString(0); msg != "ok" {
			report(engine.Problem{Err: fmt.Errorf("%w: %s", engine.ErrCorrupt, strings.TrimSpace(msg))})
		}
	}
}

// checkValue reads one value. What is wrong with it is reported; an error means that the check cannot go on.
func (ses *session) checkValue(ctx context.Context, key string, report func(engine.Problem)) error {
	r, err := ses.find(key)
	if err == nil && r != nil {
		var sum uint32
		sum, err = ses.checksum(ctx, r)
		if m := r.entry.Meta; err == nil && m.HasSum && m.Sum != sum {
			err = fmt.Errorf("%w: checksum %08x, stored with %08x", engine.ErrCorrupt, sum, m.Sum)
		}
		if err == nil {
			err = r.damage
		}
	}
	if err = ses.s.explain(ctx, err); err == nil || ctx.Err() != nil {
		return err
	}
	report(engine.Problem{Key: key, Err: err})
	return nil
}
