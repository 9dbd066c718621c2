package sqlite

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// checkArrays reads every chunk of every array, and holds the arrays against their descriptions.
func (c *checker) checkArrays(ses *session) error {
	there, err := ses.findArrays()
	if err != nil || !there {
		return err
	}
	st, err := ses.c.Prepare(ses.arrays.selectArray() + ` ORDER BY col_id`)
	if err != nil {
		return err
	}
	defer st.Reset()
	for {
		row, err := st.Step()
		if err != nil || !row {
			if err == nil {
				err = c.checkStrays(ses)
			}
			return err
		}
		a := ses.arrays.scan(st)
		err = c.explain(c.ctx, c.checkArray(ses, &a))
		if c.ctx.Err() != nil {
			return err
		}
		if err != nil {
			c.problem(engine.Problem{Column: a.Name, Err: err})
		}
	}
}

// checkArray goes through the chunks of one array.
func (c *checker) checkArray(ses *session, a *engine.Array) error {
	if a.Name == "" || a.ElemSize < 1 || a.Length < 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
		return fmt.Errorf("%w: it has %d elements of %d bytes in chunks of %d to %d bytes", engine.ErrCorrupt,
			a.Length, a.ElemSize, a.MinChunk, a.MaxChunk)
	}
	st, err := ses.c.Prepare(`SELECT rowid, chunk_idx FROM ` + format.ArrayChunkTable + ` WHERE col_id = ?1 ORDER BY chunk_idx`)
	if err != nil {
		return err
	}
	defer st.Reset()
	st.Int(1, a.ID)
	bytes := int64(0)
	for want := int64(0); ; want++ {
		there, err := st.Step()
		if err != nil {
			return err
		}
		if !there {
			break
		}
		got := st.ColInt(1)
		if want == 0 && got == 1 {
			if begins, err := ses.beginsLater(a); err != nil {
				return err
			} else if begins {
				want = 1
			}
		}
		if got != want {
			return fmt.Errorf("%w: chunk %d is missing, and there is a chunk %d", engine.ErrCorrupt, want, got)
		}
		n, err := c.checkChunk(ses, st.ColInt(0))
		if err != nil {
			return fmt.Errorf("chunk %d: %w", want, c.explain(c.ctx, err))
		}
		bytes += n
	}
	if bytes/a.ElemSize < a.Length {
		return fmt.Errorf("%w: %d bytes are there of %d elements of %d bytes", engine.ErrCorrupt, bytes, a.Length, a.ElemSize)
	}
	return nil
}

// beginsLater says whether an array has no chunk 0, and never had one: so the Python package lays
// elements of differing sizes if the first of them come many at once. Its index says that the first
// of them lies in a later chunk.
func (ses *session) beginsLater(a *engine.Array) (bool, error) {
	base, isData := strings.CutSuffix(a.Name, "_data")
	if !isData || a.ElemSize != 1 || a.Length != 0 {
		return false, nil
	}
	st, err := ses.c.Prepare(`SELECT hex(substr(CAST(data AS BLOB), 1, 4)) <> '00000000' FROM ` + format.ArrayChunkTable + ` WHERE chunk_idx = 0
		AND col_id = (SELECT col_id FROM ` + format.ArrayTable + ` WHERE name = ?1 AND dtype = 'adaptive_idx')`)
	if err != nil {
		return false, err
	}
	defer st.Reset()
	there, err := st.Text(1, base+"_idx").Step()
	return there && st.ColInt(0) != 0, err
}

// checkChunk reads one chunk through, and returns its length.
func (c *checker) checkChunk(ses *session, row int64) (size int64, err error) {
	usage := `0`
	if ses.arrays.usage {
		usage = `bytes_used`
	}
	st, err := ses.c.Prepare(`SELECT octet_length(data), typeof(data) IN ('blob', 'text'), actual_size, ` + usage + ` FROM ` + format.ArrayChunkTable + ` WHERE rowid = ?1`)
	if err != nil {
		return 0, err
	}
	there, err := st.Int(1, row).Step()
	if err != nil {
		return 0, err
	}
	if !there {
		return 0, fmt.Errorf("%w: its index names it, and its row cannot be found", engine.ErrCorrupt)
	}
	length, bytes, actual, used := st.ColInt(0), st.ColInt(1) != 0, st.ColInt(2), st.ColInt(3)
	st.Reset()
	if !bytes || actual > length || actual <= 0 && length > 0 || used < 0 || used > length {
		return 0, fmt.Errorf("%w: it has %d bytes, should have %d, and %d are in use", engine.ErrCorrupt, length, actual, used)
	}
	b, err := ses.c.OpenBlob(format.ArrayChunkTable, "data", row, false)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	return min(length, actual), c.readThrough(b)
}

func (c *checker) readThrough(b *driver.Blob) error {
	buf := make([]byte, min(b.Size(), arrayPieceBytes))
	for off := int64(0); off < b.Size(); off += int64(len(buf)) {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := b.ReadAt(buf[:min(int64(len(buf)), b.Size()-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// checkStrays reports chunks of arrays that are not there.
func (c *checker) checkStrays(ses *session) error {
	return ses.each(`SELECT col_id, count(*) FROM `+format.ArrayChunkTable+` WHERE col_id NOT IN (SELECT col_id FROM `+format.ArrayTable+`) GROUP BY col_id`, func(st *driver.Stmt) {
		c.problem(engine.Problem{Err: fmt.Errorf("%w: %d chunks belong to column number %d, which is not there", engine.ErrCorrupt, st.ColInt(1), st.ColInt(0))})
	})
}

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
