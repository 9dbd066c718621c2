package sqlite

import (
	"fmt"
	"os"
	"strconv"

	"github.com/kohakuvault/kvault/engine"
)

// checkLength reports a file that ends before its last page. SQLite reads zeros where a part of a
// page is missing, and finds nothing wrong with an overflow page that does. While a log has pages
// the file may be shorter. While the log is empty no checkpoint shortens the file under this
// snapshot.
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
	if file, err := os.Stat(c.conf.Path); err == nil && file.Size() < want {
		c.problem(engine.Problem{Err: fmt.Errorf("%w: the file is cut off: it has %d of its %d bytes", engine.ErrCorrupt, file.Size(), want)})
	}
	return nil
}
