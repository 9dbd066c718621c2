package salvage

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// rawArrays is where the arrays lie in a damaged file.
type rawArrays struct {
	meta, chunks *rawfile.Table
	index        *rawfile.Index // of (col_id, chunk_idx)
	names        *rawfile.Index // nil if the table of another program has none
	bounded      bool           // col_meta has the bounds of chunks
}

// findArrays finds the tables of arrays. They are looked for without the schema only if it is
// damaged: not every vault has them.
func (sv *surveyor) findArrays() *rawArrays {
	o, there := sv.find(format.ArrayTable)
	chunks, chunksThere := sv.find(format.ArrayChunkTable)
	if !there && !chunksThere && sv.whole {
		return nil
	}
	// Either text of the schema can be damaged. If neither is as it should be, the tables are those of
	// another program.
	begins := func(o object, columns string) bool {
		return strings.HasPrefix(strings.Join(o.columns, " "), columns)
	}
	ours := begins(o, "col_id name dtype") || begins(chunks, "col_id chunk_idx data actual_size")
	if (there || chunksThere) && !ours {
		return nil
	}
	raw := &rawArrays{
		meta:    sv.table(format.ArrayTable, true, arrayForm),
		chunks:  sv.table(format.ArrayChunkTable, true, arrayChunkForm),
		index:   sv.indexAt(sv.indexOf(chunks, "col_id chunk_idx"), chunkEntryForm),
		bounded: !there || slices.Contains(o.columns, "max_chunk_bytes"),
	}
	if sv.indexed(o, "name") {
		raw.names = sv.indexAt(sv.indexOf(o, "name"), nameEntryForm)
	}
	return raw
}

// arrayCopier copies the arrays.
type arrayCopier struct {
	*Salvage
	*rawArrays
	dst engine.Transactor
	// rows are the chunks by array and number: the row ids, 0 for one that only the index knows.
	rows map[int64]map[int64]int64
	// indexed are the names that the index of names has for an array.
	indexed map[int64][]string
}

func (s *Salvage) copyArrays(dst engine.Transactor) error {
	raw := s.plan.arrays
	if raw == nil || s.opt.Table != "" && raw.meta.Empty() {
		return nil
	}
	c := &arrayCopier{Salvage: s, rawArrays: raw, dst: dst, rows: map[int64]map[int64]int64{},
		indexed: map[int64][]string{}}
	c.collect()
	arrays := c.arrays()
	for _, a := range arrays {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		err := c.whole(&a)
		if err == nil {
			err = c.otherHalf(a, arrays)
		}
		if err != nil {
			c.loseColumn(a.Name, err)
			continue
		}
		if err := c.copy(a); err != nil {
			return err
		}
		if err := c.doubtName(a); err != nil {
			c.lose(engine.Loss{Table: format.ArrayTable, Column: a.Name, Copied: true, Err: err})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.rows)) {
		if !slices.ContainsFunc(arrays, func(a engine.Array) bool { return a.ID == id }) {
			c.loseColumn(fmt.Sprintf("#%d", id), rawfile.Damaged(
				"%d chunks of a column whose description is not there", len(c.rows[id])))
		}
	}
	return nil
}

// doubtName says what is doubtful about the name of an array. Like a key, it is right if the index
// has it, too.
func (c *arrayCopier) doubtName(a engine.Array) error {
	names := c.indexed[a.ID]
	switch {
	case c.names == nil || slices.Contains(names, a.Name):
		return nil
	case len(names) > 0:
		return fmt.Errorf("the index of names has it under %q", names[0])
	}
	return rawfile.Damaged("no entry of the index of names confirms its name")
}

func (c *arrayCopier) loseColumn(name string, err error) {
	c.lose(engine.Loss{Table: format.ArrayTable, Column: name, Err: err})
}

// collect finds out which chunks there are, or were, and reads the index of names.
func (c *arrayCopier) collect() {
	for row, r := range c.chunks.Rows() {
		if r.Err == nil && arrayChunkForm.fits(r.Record) {
			c.addChunk(r.Record, row)
		}
	}
	for r := range c.index.Entries() {
		c.addChunk(r, 0)
	}
	if c.names == nil {
		return
	}
	for r := range c.names.Entries() {
		name, err := r.Bytes(0, engine.MaxKey)
		id, idErr := r.Int(1)
		if err == nil && idErr == nil {
			c.indexed[id] = append(c.indexed[id], string(name))
		}
	}
}

// addChunk notes a chunk by its row, or by its entry of the index if row is 0.
func (c *arrayCopier) addChunk(r *rawfile.Record, row int64) {
	id, err := r.Int(0)
	chunk, chunkErr := r.Int(1)
	if err != nil || chunkErr != nil {
		return
	}
	if c.rows[id] == nil {
		c.rows[id] = map[int64]int64{}
	}
	if c.rows[id][chunk] == 0 {
		c.rows[id][chunk] = row
	}
}

// arrays returns those whose description can be read and makes sense.
func (c *arrayCopier) arrays() (list []engine.Array) {
	for row, r := range c.meta.Rows() {
		a, err := c.array(row, r)
		same := func(b engine.Array) bool { return b.Name == a.Name }
		if err == nil && slices.ContainsFunc(list, same) {
			err = rawfile.Damaged("there are two of that name")
		}
		if err != nil {
			c.loseColumn(a.Name, err)
			delete(c.rows, row)
			continue
		}
		list = append(list, a)
	}
	for _, g := range c.meta.Gaps {
		if c.meta.Rooted() {
			c.lose(engine.Loss{Table: format.ArrayTable,
				Err: fmt.Errorf("columns %d to %d: %w", g.First, g.Last, g.Err)})
		}
	}
	return list
}

func (c *arrayCopier) array(row int64, r rawfile.RecordResult) (engine.Array, error) {
	a := engine.Array{ID: row, Name: fmt.Sprintf("#%d", row)}
	if r.Err != nil {
		return a, r.Err
	}
	name, err := r.Bytes(1, engine.MaxKey)
	typ, typErr := r.Bytes(2, engine.MaxKey)
	errs := []error{err, typErr}
	var chunk int64
	for i, to := range []*int64{&a.ElemSize, &a.Length, &chunk, &a.MinChunk, &a.MaxChunk} {
		*to, err = r.Int(3 + i)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return a, err
	}
	a.Name, a.Type = string(name), string(typ)
	if !c.bounded && r.Len() <= 6 && a.ElemSize > 0 {
		a.MinChunk = chunk - chunk%a.ElemSize
		a.MaxChunk = a.MinChunk
	}
	if a.Name == "" || a.ElemSize < 1 || a.Length < 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
		return a, rawfile.Damaged("its description makes no sense")
	}
	return a, nil
}

// otherHalf fails if an array is one of the two of a column whose elements differ in size, and the
// other one is lost.
func (c *arrayCopier) otherHalf(a engine.Array, arrays []engine.Array) error {
	const data, index = "_data", "_idx"
	other := ""
	if base, ok := strings.CutSuffix(a.Name, data); ok && a.ElemSize == 1 {
		other = base + index
	} else if base, ok := strings.CutSuffix(a.Name, index); ok && a.ElemSize > 1 {
		other = base + data
	}
	for _, b := range arrays {
		if other != "" && b.Name == other && c.whole(&b) != nil {
			return errors.New("its other half is lost")
		}
	}
	return nil
}

// first returns the number of the first chunk of an array: 1 for those that the Python package has
// begun there. Neither the rows nor their index know of a chunk 0 then.
func (c *arrayCopier) first(a *engine.Array) int64 {
	_, zero := c.rows[a.ID][0]
	_, one := c.rows[a.ID][1]
	data := a.ElemSize == 1 && a.Length == 0 && strings.HasSuffix(a.Name, "_data")
	if data && one && !zero {
		return 1
	}
	return 0
}

// chunks calls fn with each chunk of an array, until one cannot be read.
func (c *arrayCopier) each(a *engine.Array, fn func(i int64, ch rawChunk) error) error {
	first := c.first(a)
	for i := first; i < first+int64(len(c.rows[a.ID])); i++ {
		ch, err := c.chunk(a.ID, i)
		if err == nil {
			err = fn(i, ch)
		}
		if err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	return nil
}

// whole reads all chunks of an array, and says what is wrong with them.
func (c *arrayCopier) whole(a *engine.Array) error {
	var bytes int64
	err := c.each(a, func(_ int64, ch rawChunk) error {
		bytes += ch.size
		_, err := io.CopyN(io.Discard, ch.rec.Reader(2), ch.size)
		return err
	})
	if err == nil && bytes/a.ElemSize < a.Length {
		err = rawfile.Damaged("%d bytes are there of %d elements of %d",
			bytes, a.Length, a.ElemSize)
	}
	return err
}

// rawChunk is a chunk of an array.
type rawChunk struct {
	rec     *rawfile.Record
	size    int64
	used    int64
	deleted bool
}

func (c *arrayCopier) chunk(id, i int64) (ch rawChunk, err error) {
	row := c.rows[id][i]
	if ch.rec, err = c.chunks.Find(row); err != nil {
		return ch, err
	}
	if row == 0 || ch.rec == nil || !arrayChunkForm.fits(ch.rec) {
		return ch, rawfile.Damaged("its row is not there")
	}
	actual, err := ch.rec.Int(3)
	used, usedErr := ch.rec.Int(4)
	deleted, deletedErr := ch.rec.Int(5)
	if err := errors.Join(err, usedErr, deletedErr); err != nil {
		return ch, err
	}
	ch.size = ch.rec.Size(2)
	if actual > ch.size || actual <= 0 && ch.size > 0 {
		return ch, rawfile.Damaged("it has %d bytes, and should have %d", ch.size, actual)
	}
	if ch.rec.Class(2) == fileformat.Text {
		ch.size = actual
	}
	if ch.used, ch.deleted = used, deleted != 0; ch.rec.Len() < 5 {
		ch.used = ch.size
	}
	if ch.used < 0 || ch.used > ch.size {
		return ch, rawfile.Damaged("%d of its %d bytes are in use", ch.used, ch.size)
	}
	return ch, nil
}

// copy copies an array that is whole.
func (c *arrayCopier) copy(a engine.Array) error {
	made := engine.Array{Name: a.Name, Type: a.Type, ElemSize: a.ElemSize, MinChunk: a.MinChunk,
		MaxChunk: a.MaxChunk}
	err := c.transact(func(x engine.Arrays) (err error) {
		if made, err = x.CreateArray(c.ctx, made); err == nil && c.first(&a) > 0 {
			err = x.ResizeChunk(c.ctx, made.ID, 0, 0)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = c.each(&a, func(i int64, ch rawChunk) error {
		return c.transact(func(x engine.Arrays) error { return c.copyChunk(x, ch, made.ID, i) })
	})
	if err != nil {
		return err
	}
	c.report.Columns++
	c.progress()
	return c.transact(func(x engine.Arrays) error {
		return x.SetArrayLength(c.ctx, made.ID, a.Length)
	})
}

func (c *arrayCopier) copyChunk(x engine.Arrays, ch rawChunk, to, i int64) error {
	if err := x.ResizeChunk(c.ctx, to, i, ch.size); err != nil {
		return err
	}
	rd, buf := ch.rec.Reader(2), make([]byte, min(ch.size, pieceBytes))
	for off := int64(0); off < ch.size; {
		p := buf[:min(int64(len(buf)), ch.size-off)]
		if _, err := io.ReadFull(rd, p); err != nil {
			return err
		}
		if err := x.WriteChunk(c.ctx, to, i, off, p); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return x.SetChunkUsed(c.ctx, to, i, ch.used, ch.deleted)
}

func (c *arrayCopier) transact(fn func(engine.Arrays) error) error {
	x, err := c.dst.Begin(c.ctx, true)
	if err != nil {
		return err
	}
	defer x.Rollback()
	if err := fn(x.(engine.Arrays)); err != nil {
		return err
	}
	return x.Commit(c.ctx)
}
