//go:build !(linux || darwin) || sqlite3_flock || sqlite3_dotlk

package driver

import (
	"errors"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// walIndex is not to be had where the driver does not keep it in a file.
type walIndex struct{ file fileID }

func openWALIndex(string, bool) (*walIndex, error) { return nil, errors.ErrUnsupported }

func (*walIndex) close() error { return nil }

func (*walIndex) state() (s walState, ok bool) { return s, false }

func (*walIndex) backfill() uint32 { return 0 }

func (*walIndex) named() bool { return true }

func (*walIndex) backfillState() walvfs.Backfill { return walvfs.Backfill{} }

func (*walIndex) forgetBackfill(string) error { return errors.ErrUnsupported }
