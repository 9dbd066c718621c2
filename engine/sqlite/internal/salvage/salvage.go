// Package salvage finds what a damaged vault file still holds, and copies it into new stores.
//
// It reads the bytes of the file by internal/rawfile, without SQLite, and knows what they mean by internal/format. It writes by the interface of
// package engine alone: how a new vault is made, named and thrown away is the caller's matter.
package salvage

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

// Options say what Run brings over. Nil and the zero value are all of it.
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
	// Unconfirmed is how many of them have a key that stands in their row alone, because the index of keys is damaged there.
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

// Survey finds out where everything lies in a file. Its error wraps engine.ErrCorrupt if nothing of a vault is there. report may be filled already
// by an earlier try.
func Survey(ctx context.Context, file *rawfile.File, o Options, report *Report) (*Salvage, error) {
	s := &Salvage{ctx: ctx, opt: o, file: file, report: report}
	var err error
	s.plan, err = s.survey()
	return s, err
}

// Copy writes all that was found into new stores. open returns the one for a table of keys; all are of one file, which one of them has the columns of, too.
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
