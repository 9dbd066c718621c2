package sqlite

import (
	"fmt"
	"os"
	"strconv"

	"github.com/kohakuvault/kvault/engine"
)

// checkLength reports a file that ends before its last page. SQLite takes what is missing of a page for zeros, and of an overflow page it does not
// notice. While a log has pages the file may be shorter; and while this snapshot has none of them, nobody shortens the file.
func (c *checker) checkLength(ses *session) error {
	if c.conf.Memory {
		return nil
	}
	numbers, err := texts(ses.c, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`)
	if err != nil || len(numbers) != 1 {
		return err
	}
	want, err := strconv.ParseInt(numbers[0], 10, 64)
	if err != nil {
		return err
	}
	if log, err := os.Stat(c.conf.Path + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	// The file is not opened: to close it would drop the locks that SQLite holds.
	if file, err := os.Stat(c.conf.Path); err == nil && file.Size() < want {
		c.report(engine.Problem{Err: fmt.Errorf("%w: the file is cut off: it has %d of its %d bytes", engine.ErrCorrupt, file.Size(), want)})
	}
	return nil
}
