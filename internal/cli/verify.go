package cli

import (
	"fmt"
	"hash/crc32"
	"io"

	"github.com/kohakuvault/kvault"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// copyValue writes the whole value of a reader that nothing was read from yet, and fails with ErrCorrupt if that is not
// what was once stored.
func copyValue(w io.Writer, r *kvault.Reader) error {
	sum := crc32.New(castagnoli)
	if _, err := r.WriteTo(io.MultiWriter(w, sum)); err != nil {
		return err
	}
	e := r.Entry()
	if got := sum.Sum32(); e.HasChecksum && got != e.Checksum {
		err := fmt.Errorf("%w: checksum %08x, stored with %08x", kvault.ErrCorrupt, got, e.Checksum)
		return &kvault.Error{Op: "get", Key: e.Key, Err: err}
	}
	return nil
}
