package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

// SalvageOptions say what Salvage brings over. Nil and the zero value are all of it.
type SalvageOptions struct {
	// Table is the only key-value table to salvage; empty means all.
	Table string
	// OnLoss is told each loss as it is found.
	OnLoss func(engine.Loss)
	// Progress is told how many keys and columns are done.
	Progress func(done int64)
}

// SalvageReport is what a salvage brought over.
type SalvageReport struct {
	// Keys is how many values are in the new vault, Bytes their size, and Columns how many arrays.
	Keys, Bytes, Columns int64
	// Unproven is how many of the values had no checksum to prove them, as values of other programs have none.
	Unproven int64
	// Unconfirmed is how many of them have a key that stands in their row alone, because the index of keys is damaged there.
	Unconfirmed int64
	// Losses is how many losses were told, and Doubts how many of them are of something that was copied all the same.
	Losses, Doubts int64
}

// Salvage copies what can be read of the vault file src, however damaged, into the new vault file dst. It reads src without SQLite and never
// changes it; nobody may write it meanwhile. What src's write-ahead log or rollback journal holds for it counts. If either is damaged, a doubt
// is told of each table, but for what cannot be told from the end that a crash leaves.
//
// Every value is whole, and was held against its checksum. If it has none, a doubt is told of it,
// or one of the table if no value there has one. A key has none: it is right if the file has it
// twice, and a doubt is told of each value whose key stands in its row alone, or one of the table
// if nothing is left of its index. Rows whose keys are confirmed come first, and no other takes
// their place. What could not be read is told by OnLoss: by key where the row, the index of keys or
// the record of a large value still names it, else as a range of rows. A column has no checksum: it
// is lost unless all its chunks can be read, and what was altered inside one goes unseen. Tables of
// other programs are not copied.
//
// Memory is bounded by 32 bytes for each page of rows, a bit for each row, and by what there is to tell.
//
// Errors: ErrNoVault if src does not exist, ErrInvalid if it is no file, ErrExists if dst is there, ErrCorrupt if
// nothing of a vault was found; dst is not made then.
func Salvage(ctx context.Context, src, dst string, o *SalvageOptions) (*SalvageReport, error) {
	return salvageFrom(ctx, src, dst, o, rawfile.Open)
}

// salvageFrom is Salvage by way of a function that opens src.
func salvageFrom(ctx context.Context, src, dst string, o *SalvageOptions, open func(path string) (*rawfile.File, error)) (*SalvageReport, error) {
	s := &salvage{ctx: ctx, report: &SalvageReport{}}
	if o != nil {
		s.opt = *o
	}
	if s.opt.Table != "" {
		if err := checkTable(s.opt.Table); err != nil {
			return s.report, err
		}
	}
	like, err := checkSource(src)
	if err != nil {
		return s.report, err
	}
	if dst == "" || dst == Memory {
		return s.report, fmt.Errorf("the new vault must be a file: %w", engine.ErrInvalid)
	}
	f, err := open(src)
	if err != nil {
		return s.report, explainRaw(src, err)
	}
	defer f.Close()
	s.file = f
	return s.report, makeFile("salvage", dst, like, func(tmp string) error {
		plan, err := s.survey()
		if err != nil {
			return fmt.Errorf("%s: %w", src, err)
		}
		return s.copyAll(plan, tmp)
	})
}

// checkSource keeps from waiting for a pipe, and describes the file.
func checkSource(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist: %w", path, engine.ErrNoVault)
	case err != nil:
		return nil, &engine.IOError{Op: "salvage", Err: err}
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file: %w", path, engine.ErrInvalid)
	}
	return info, nil
}

func explainRaw(path string, err error) error {
	if errors.Is(err, rawfile.ErrDamaged) {
		return fmt.Errorf("%w: %s: %w", engine.ErrCorrupt, path, err)
	}
	return &engine.IOError{Op: "salvage", Err: err}
}

// salvage is one call of Salvage.
type salvage struct {
	ctx    context.Context
	opt    SalvageOptions
	file   *rawfile.File
	report *SalvageReport
}

// lose tells a loss.
func (s *salvage) lose(l engine.Loss) {
	s.report.Losses++
	if l.Copied {
		s.report.Doubts++
	}
	if s.opt.OnLoss != nil {
		s.opt.OnLoss(l)
	}
}

func (s *salvage) progress() {
	if s.opt.Progress != nil {
		s.opt.Progress(s.report.Keys + s.report.Columns)
	}
}

// copyAll fills the new file.
func (s *salvage) copyAll(p *plan, tmp string) error {
	if p.newer != nil {
		s.lose(engine.Loss{Table: layoutTable, Copied: true, Err: p.newer})
	}
	for i, kv := range p.tables {
		for _, err := range s.file.Doubts() {
			s.lose(engine.Loss{Table: kv.name, Copied: true, Err: err})
		}
		if err := s.into(tmp, kv.name, func(dst *Store) error {
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
func (s *salvage) into(path, table string, fn func(*Store) error) error {
	dst, err := Open(s.ctx, path, &Options{Table: table, PageSize: s.file.PageSize()})
	if err != nil {
		return err
	}
	return errors.Join(fn(dst), dst.Close())
}
