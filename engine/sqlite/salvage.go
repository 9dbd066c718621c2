package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// SalvageOptions say what Salvage brings over. Nil and the zero value are all of it.
type SalvageOptions salvage.Options

// SalvageReport is what a salvage brought over.
type SalvageReport salvage.Report

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
	report := &SalvageReport{}
	if o == nil {
		o = &SalvageOptions{}
	}
	if o.Table != "" {
		if err := format.CheckTable(o.Table); err != nil {
			return report, err
		}
	}
	like, err := checkSource(src)
	if err != nil {
		return report, err
	}
	if dst == "" || dst == Memory {
		return report, fmt.Errorf("the new vault must be a file: %w", engine.ErrInvalid)
	}
	f, err := open(src)
	if err != nil {
		return report, explainRaw(src, err)
	}
	defer f.Close()
	return report, makeFile("salvage", dst, like, func(tmp string) error {
		s, err := salvage.Survey(ctx, f, salvage.Options(*o), (*salvage.Report)(report))
		if err != nil {
			return fmt.Errorf("%s: %w", src, err)
		}
		return s.Copy(func(table string) (engine.Transactor, error) {
			return Open(ctx, tmp, &Options{Table: table, PageSize: f.PageSize()})
		})
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
