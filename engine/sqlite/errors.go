package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// explain turns the driver's errors into the engine's, each with what happened, where, and the way out.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if oe, ok := err.(*engine.OpError); ok {
		return &engine.OpError{Index: oe.Index, Key: oe.Key, Err: s.explain(ctx, oe.Err)}
	}
	var de *driver.Error
	if !errors.As(err, &de) {
		return err
	}
	if ctxErr := ctx.Err(); ctxErr != nil && (de.Kind == driver.Interrupted || de.Kind == driver.Busy) {
		return context.Cause(ctx)
	}
	if driver.NoRoom(err) {
		return ioError("write "+s.path, err)
	}
	switch de.Kind {
	case driver.Busy:
		who := "another process has"
		if s.opt.DisableWAL {
			who = "another process, or a snapshot of this one, has"
		}
		return fmt.Errorf("%w: %s locked %s for longer than %v; try again or raise the busy timeout (%v)",
			engine.ErrBusy, who, s.path, max(s.opt.BusyTimeout, 0), de)
	case driver.IO, driver.CannotOpen:
		return &engine.IOError{Op: "use " + s.path, Err: de}
	case driver.Corrupt:
		return fmt.Errorf("%w: %s: %v", engine.ErrCorrupt, s.path, de)
	case driver.NotADatabase:
		return fmt.Errorf("%w: %s is not an SQLite database, or its header is damaged (%v)", engine.ErrCorrupt, s.path, de)
	case driver.ReadOnly:
		return fmt.Errorf("%w: %s cannot be written (%v)", engine.ErrReadOnly, s.path, de)
	case driver.TooBig:
		return fmt.Errorf("%w for SQLite (%v)", engine.ErrTooLarge, de)
	case driver.BadSchema:
		return fmt.Errorf("%w: the tables in %s are not as a vault has them (%v)", engine.ErrCorrupt, s.path, de)
	case driver.Constraint:
		return fmt.Errorf("a constraint of the table, or of its columns, does not allow that (%v): %w", de, engine.ErrInvalid)
	case driver.OutOfMemory:
		return fmt.Errorf("%w for the memory of a connection; read or write it as a stream (%v)", engine.ErrTooLarge, de)
	}
	return fmt.Errorf("%s: %w", s.path, de)
}
