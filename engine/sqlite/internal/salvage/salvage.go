// Package salvage finds what a damaged vault file still holds, and copies it into new stores.
//
// It reads the bytes of the file through internal/rawfile, without SQLite, and interprets them by
// internal/format. It writes through the interfaces of package engine only: the caller makes, names
// and discards the new vault.
package salvage

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// Options say what to bring over. The zero value is all of it.
type Options struct {
	// Table is the only key-value table to salvage; empty means all.
	Table string
	// OnLoss is told each loss as it is found.
	OnLoss func(engine.Loss)
	// Progress is told how many keys and columns are done.
	Progress func(done int64)
}

// Report is what a salvage brought over.
type Report struct {
	// Keys is how many values are in the new vault, Bytes their size, and Columns how many arrays.
	Keys, Bytes, Columns int64
	// Unproven is how many of the values had no checksum to prove them, as values of other programs have none.
	Unproven int64
	// Unconfirmed is how many of them have a key that stands in their row alone, because the index
	// of keys is damaged there.
	Unconfirmed int64
	// Losses is how many losses were told, and Doubts how many of them are of something that was copied all the same.
	Losses, Doubts int64
}

const (
	// smallBytes is the largest value that is read as a whole, and pieceBytes how much of a larger one is at a time.
	smallBytes = 1 << 20
	pieceBytes = 1 << 20
)

// Salvage is one salvage of a file.
type Salvage struct {
	ctx    context.Context
	opt    Options
	file   *rawfile.File
	report *Report
	plan   *plan
}

// Survey finds out where the parts of a vault are in a file. Its error wraps engine.ErrCorrupt if there are none. The
// caller reads report when Copy has returned; an earlier try may have filled it.
func Survey(ctx context.Context, file *rawfile.File, o Options, report *Report) (*Salvage, error) {
	s := &Salvage{ctx: ctx, opt: o, file: file, report: report}
	var err error
	s.plan, err = s.survey()
	return s, err
}

// Copy writes everything that Survey found into new stores. open returns the store of one key-value
// table; all of them are in one file. The first store gets the columns, too.
func (s *Salvage) Copy(open func(table string) (engine.Transactor, error)) error {
	return s.copyAll(s.plan, open)
}

// lose tells a loss.
func (s *Salvage) lose(l engine.Loss) {
	s.report.Losses++
	if l.Copied {
		s.report.Doubts++
	}
	if s.opt.OnLoss != nil {
		s.opt.OnLoss(l)
	}
}

func (s *Salvage) progress() {
	if s.opt.Progress != nil {
		s.opt.Progress(s.report.Keys + s.report.Columns)
	}
}

// copyAll fills the new file.
func (s *Salvage) copyAll(p *plan, open func(table string) (engine.Transactor, error)) error {
	if p.newer != nil {
		s.lose(engine.Loss{Table: format.LayoutTable, Copied: true, Err: p.newer})
	}
	for i, kv := range p.tables {
		for _, err := range s.file.Doubts() {
			s.lose(engine.Loss{Table: kv.name, Copied: true, Err: err})
		}
		if err := s.into(open, kv.name, func(dst engine.Transactor) error {
			if err := s.copyTable(dst, p, kv); err != nil || i > 0 {
				return err
			}
			return s.copyArrays(dst, p)
		}); err != nil {
			return err
		}
	}
	for _, name := range p.foreign {
		s.lose(engine.Loss{Table: name, Err: errors.New("it is no table of a vault, and such are not copied")})
	}
	return nil
}

// into runs fn on the new vault.
func (s *Salvage) into(open func(string) (engine.Transactor, error), table string, fn func(engine.Transactor) error) error {
	dst, err := open(table)
	if err != nil {
		return err
	}
	return errors.Join(fn(dst), dst.Close())
}
