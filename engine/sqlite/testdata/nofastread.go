package sqlite

import (
	"errors"

	"github.com/kohakuvault/kvault/engine"
)

// What .ci/nofastread puts in the place of fastread.go: no read is a fast one.

const fastValue, fastPiece = 0, 0

var errNoFastReads = errors.New("SQLite is to read it")

type (
	fastReads       struct{}
	fastValueReader struct{}
)

func newFastReads(*Options) *fastReads { return nil }

func (*session) fastGet([]byte, string) (value []byte, large, found bool, err error) {
	return nil, false, false, errNoFastReads
}

func (*session) fastKeys([]string, engine.Query) (keys []string, more bool, err error) {
	return nil, false, errNoFastReads
}

func (*session) fastChunk(array, chunk, off int64, p []byte) bool { return false }

func (*session) fastValueReader(table, column string) *fastValueReader { return nil }

func (*fastValueReader) close() {}

func (*fastValueReader) read(p []byte, row, at, size int64) bool { return false }
