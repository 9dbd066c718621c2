package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// SalvageOptions say what Salvage copies. Nil and the zero value are everything.
type SalvageOptions salvage.Options

// SalvageReport says what Salvage has copied.
type SalvageReport salvage.Report

// Salvage copies what can be read of the vault file src, however damaged, into the new vault file
// dst. It reads src without SQLite and never changes it; no program may write src meanwhile. It
// includes what src's write-ahead log or rollback journal holds. If either is damaged, it reports a
// doubt for each table, unless the damage looks like the end that a crash leaves.
//
// Every value is whole, and matches its checksum if it has one. A key has none: it is right if the
// file has it twice. Rows whose keys are confirmed come first, and no other takes their place.
// Salvage reports a doubt for each value without a checksum and for each key that stands in its row
// alone, or one for the table if it has no checksums, or nothing is left of its index. A column has
// no checksum: it is lost unless all its chunks can be read, and altered bytes in it go unseen.
//
// Memory is bounded by 32 bytes for each page of rows, a bit for each row, and by what there is to
// report.
//
// Errors: ErrNoVault if src does not exist, ErrInvalid if it is no file, ErrExists if dst exists,
// ErrCorrupt if nothing of a vault was found. dst is made only if the error is nil.
func Salvage(
	ctx context.Context, src, dst string, o *SalvageOptions,
) (*SalvageReport, error) {
	return salvageThrough(ctx, src, dst, o, func(src io.ReaderAt) io.ReaderAt { return src })
}

// salvageThrough is Salvage of a file whose bytes are read through what through makes of it.
func salvageThrough(
	ctx context.Context, src, dst string, o *SalvageOptions, through func(io.ReaderAt) io.ReaderAt,
) (*SalvageReport, error) {
	report := &SalvageReport{}
	if o == nil {
		o = &SalvageOptions{}
	}
	if o.Table != "" {
		if err := format.CheckTable(o.Table); err != nil {
			return report, err
		}
	}
	info, err := os.Stat(src) // opening a pipe would wait
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return report, fmt.Errorf("%s does not exist: %w", src, engine.ErrNoVault)
	case err != nil:
		return report, &engine.IOError{Op: "salvage", Err: err}
	case !info.Mode().IsRegular():
		return report, fmt.Errorf("%s is no regular file: %w", src, engine.ErrInvalid)
	case dst == "" || dst == Memory:
		return report, fmt.Errorf("the new vault must be a file: %w", engine.ErrInvalid)
	}
	main, err := os.Open(src)
	if err != nil {
		return report, &engine.IOError{Op: "salvage", Err: err}
	}
	defer main.Close()
	f, err := rawfile.Open(through(main), info.Size(), src)
	if errors.Is(err, rawfile.ErrDamaged) {
		return report, fmt.Errorf("%w: %s: %w", engine.ErrCorrupt, src, err)
	} else if err != nil {
		return report, &engine.IOError{Op: "salvage", Err: err}
	}
	defer f.Close()
	return report, makeFile("salvage", dst, info, func(tmp string) error {
		s, err := salvage.Survey(ctx, f, salvage.Options(*o), (*salvage.Report)(report))
		if err != nil {
			return fmt.Errorf("%s: %w", src, err)
		}
		return s.Copy(func(table string) (engine.Transactor, error) {
			return Open(ctx, tmp, &Options{Table: table, PageSize: f.PageSize()})
		})
	})
}
