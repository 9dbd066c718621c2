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

// Options say what to copy, as kvault.SalvageOptions describes. The zero value is everything.
type Options struct {
	Table    string
	OnLoss   func(engine.Loss)
	Progress func(done int64)
}

// Report says what a salvage has copied, as kvault.SalvageReport describes.
type Report struct {
	Keys, Bytes, Columns  int64
	Unproven, Unconfirmed int64
	Losses, Doubts        int64
}

const (
	// smallBytes is the largest value that is read as a whole; larger ones are read in pieces of
	// pieceBytes.
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

// Survey finds the parts of a vault in a file. Its error wraps engine.ErrCorrupt if there are none.
// The caller reads report when Copy has returned.
func Survey(
	ctx context.Context, file *rawfile.File, o Options, report *Report,
) (*Salvage, error) {
	s := &Salvage{ctx: ctx, opt: o, file: file, report: report}
	var err error
	s.plan, err = s.survey()
	return s, err
}

var errTwice = rawfile.Damaged("the schema is lost, and the table is there twice, once as an upgrade " +
	"to layout 2 copied it: where only one of the two has a key, its value may be an earlier one")

// Copy writes everything that Survey found into new stores. open returns the store of one key-value
// table; all of them are in one file. The first store gets the columns, too.
func (s *Salvage) Copy(open func(table string) (engine.Transactor, error)) error {
	if err := s.plan.newer; err != nil {
		s.lose(engine.Loss{Table: format.LayoutTable, Copied: true, Err: err})
	}
	for i, kv := range s.plan.tables {
		for _, err := range s.file.Doubts() {
			s.lose(engine.Loss{Table: kv.name, Copied: true, Err: err})
		}
		if s.plan.twice(kv) {
			s.lose(engine.Loss{Table: kv.name, Copied: true, Err: errTwice})
		}
		dst, err := open(kv.name)
		if err != nil {
			return err
		}
		if err = s.copyTable(dst, kv); err == nil && i == 0 {
			err = s.copyArrays(dst)
		}
		if err = errors.Join(err, dst.Close()); err != nil {
			return err
		}
	}
	for _, name := range s.plan.foreign {
		s.lose(engine.Loss{Table: name,
			Err: errors.New("it is no table of a vault, and such are not copied")})
	}
	return nil
}

// lose reports a loss.
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
