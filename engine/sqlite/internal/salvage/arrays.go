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

func isArrayMeta(r *rawfile.Record) bool {
	return isForm(r, nullClass, textClass, textClass, intClass, intClass, intClass) || isForm(r, nullClass, textClass, textClass, intClass, intClass, intClass, intClass, intClass)
}

func isArrayChunk(r *rawfile.Record) bool {
	return r.Len() >= 4 && r.Class(0) == intClass && r.Class(1) == intClass && (r.Class(2) == blobClass || r.Class(2) == textClass) && r.Class(3) == intClass
}

func isChunkEntry(r *rawfile.Record) bool { return isForm(r, intClass, intClass, intClass) }

func isNameEntry(r *rawfile.Record) bool { return isForm(r, textClass, intClass) }

const (
	metaOfArrays   = "col_id name dtype elem_size length chunk_bytes min_chunk_bytes max_chunk_bytes"
	chunksOfArrays = "col_id chunk_idx data actual_size"
)

// findArrays finds the tables of arrays. They are looked for without the schema only if it is
// damaged: not every vault has them.
func (sv *surveyor) findArrays() *rawArrays {
	o, there := sv.find(format.ArrayTable, metaOfArrays)
	chunks, chunksThere := sv.find(format.ArrayChunkTable, "")
	if !there && !chunksThere && sv.whole {
		return nil
	}
	// Either text of the schema can be damaged. If neither is as it should be, the tables are another program's.
	ours := there && fits(o, "col_id name dtype") || chunksThere && fits(chunks, chunksOfArrays)
	if !ours && (there || chunksThere) {
		return nil
	}
	raw := &rawArrays{
		meta:    sv.table(format.ArrayTable, metaOfArrays, true, isArrayMeta),
		chunks:  sv.table(format.ArrayChunkTable, "", true, isArrayChunk),
		index:   sv.index(chunks, "col_id chunk_idx", isChunkEntry),
		bounded: !there || slices.Contains(o.columns, "max_chunk_bytes"),
	}
	if sv.indexed(o, "name") {
		raw.names = sv.index(o, "name", isNameEntry)
	}
	return raw
}

func fits(o object, columns string) bool {
	return strings.HasPrefix(strings.Join(o.columns, " "), columns)
}

// arrayCopier brings over the arrays.
type arrayCopier struct {
	*Salvage
	*rawArrays
	dst engine.Transactor
	// rows are the chunks by array and number: the row ids, 0 for one that only the index knows.
	rows map[int64]map[int64]int64
	// indexed are the names that the index of names has for an array.
	indexed map[int64][]string
}

func (s *Salvage) copyArrays(dst engine.Transactor, p *plan) error {
	if p.arrays == nil || s.opt.Table != "" && p.arrays.meta.Empty() {
		return nil
	}
	c := &arrayCopier{Salvage: s, rawArrays: p.arrays, dst: dst, rows: map[int64]map[int64]int64{}, indexed: map[int64][]string{}}
	c.collect()
	c.collectNames()
	arrays := c.arrays()
	for _, a := range arrays {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if err := c.whole(&a); err != nil || c.partOfLost(a, arrays) {
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
			c.loseColumn(fmt.Sprintf("#%d", id), fmt.Errorf("%w: %d chunks of a column whose description is not there", rawfile.ErrDamaged, len(c.rows[id])))
		}
	}
	return nil
}

// doubtName says what is doubtful about the name of an array. Like a key, it is right if the index has it, too.
func (c *arrayCopier) doubtName(a engine.Array) error {
	names := c.indexed[a.ID]
	switch {
	case c.names == nil || slices.Contains(names, a.Name):
		return nil
	case len(names) > 0:
		return fmt.Errorf("the index of names has it under %q", names[0])
	}
	return fmt.Errorf("%w: no entry of the index of names confirms its name", rawfile.ErrDamaged)
}

func (c *arrayCopier) loseColumn(name string, err error) {
	if err == nil {
		err = errors.New("its other half is lost")
	}
	c.lose(engine.Loss{Table: format.ArrayTable, Column: name, Err: err})
}

// collect finds out which chunks there are, or were.
func (c *arrayCopier) collect() {
	note := func(id, chunk, row int64) {
		if c.rows[id] == nil {
			c.rows[id] = map[int64]int64{}
		}
		if c.rows[id][chunk] == 0 {
			c.rows[id][chunk] = row
		}
	}
	for row, r := range c.chunks.Rows() {
		if r.Err != nil || !isArrayChunk(r.Record) {
			continue
		}
		id, err := r.Int(0)
		chunk, chunkErr := r.Int(1)
		if err == nil && chunkErr == nil {
			note(id, chunk, row)
		}
	}
	for r := range c.index.Entries() {
		if r.Err != nil || !isChunkEntry(r.Record) {
			continue
		}
		id, err := r.Int(0)
		chunk, chunkErr := r.Int(1)
		if err == nil && chunkErr == nil {
			note(id, chunk, 0)
		}
	}
}

// collectNames reads the index of names.
func (c *arrayCopier) collectNames() {
	if c.names == nil {
		return
	}
	for r := range c.names.Entries() {
		if r.Err != nil || !isNameEntry(r.Record) {
			continue
		}
		name, err := r.Bytes(0, engine.MaxKey)
		id, idErr := r.Int(1)
		if err == nil && idErr == nil {
			c.indexed[id] = append(c.indexed[id], string(name))
		}
	}
}

// arrays are those whose description can be read and makes sense.
func (c *arrayCopier) arrays() (list []engine.Array) {
	for row, r := range c.meta.Rows() {
		a, err := c.array(row, r)
		if err == nil && slices.ContainsFunc(list, func(b engine.Array) bool { return b.Name == a.Name }) {
			err = fmt.Errorf("%w: there are two of that name", rawfile.ErrDamaged)
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
			c.lose(engine.Loss{Table: format.ArrayTable, Err: fmt.Errorf("columns %d to %d: %w", g.First, g.Last, g.Err)})
		}
	}
	return list
}

func (c *arrayCopier) array(row int64, r rawfile.RowResult) (engine.Array, error) {
	a := engine.Array{ID: row, Name: fmt.Sprintf("#%d", row)}
	if r.Err != nil {
		return a, r.Err
	}
	name, err := r.Bytes(1, engine.MaxKey)
	typ, typErr := r.Bytes(2, engine.MaxKey)
	var n [8]int64
	errs := []error{err, typErr}
	for i := 3; i < len(n); i++ {
		n[i], err = r.Int(i)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return a, err
	}
	a = engine.Array{ID: row, Name: string(name), Type: string(typ), ElemSize: n[3], Length: n[4], MinChunk: n[6], MaxChunk: n[7]}
	if !c.bounded && r.Len() <= 6 && a.ElemSize > 0 {
		a.MinChunk = n[5] - n[5]%a.ElemSize
		a.MaxChunk = a.MinChunk
	}
	if a.Name == "" || a.ElemSize < 1 || a.Length < 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
		return a, fmt.Errorf("%w: its description makes no sense", rawfile.ErrDamaged)
	}
	return a, nil
}

// partOfLost says that an array is one of the two of a column whose elements differ in size, and the other one is lost.
func (c *arrayCopier) partOfLost(a engine.Array, arrays []engine.Array) bool {
	const data, index = "_data", "_idx"
	other := ""
	if base, ok := strings.CutSuffix(a.Name, data); ok && a.ElemSize == 1 {
		other = base + index
	} else if base, ok := strings.CutSuffix(a.Name, index); ok && (a.Type == "adaptive_idx" || a.ElemSize == 8) {
		other = base + data
	}
	i := slices.IndexFunc(arrays, func(b engine.Array) bool { return b.Name == other })
	return other != "" && i >= 0 && c.whole(&arrays[i]) != nil
}

// first is the number of the first chunk of an array: 1 for those that the Python package has begun
// there. Neither the rows nor their index know of a chunk 0 then.
func (c *arrayCopier) first(a *engine.Array) int64 {
	rows := c.rows[a.ID]
	_, zero := rows[0]
	if _, one := rows[1]; !zero && one && a.ElemSize == 1 && a.Length == 0 && strings.HasSuffix(a.Name, "_data") {
		return 1
	}
	return 0
}

// whole reads all chunks of an array, and says what is wrong with them.
func (c *arrayCopier) whole(a *engine.Array) error {
	rows := c.rows[a.ID]
	var bytes int64
	first := c.first(a)
	for i := first; i < first+int64(len(rows)); i++ {
		ch, err := c.chunk(a.ID, i)
		if err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
		rd, err := ch.rec.Reader(2)
		if err == nil {
			_, err = io.CopyN(io.Discard, rd, ch.size)
		}
		if err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
		bytes += ch.size
	}
	if bytes/a.ElemSize < a.Length {
		return fmt.Errorf("%w: %d bytes are there of %d elements of %d", rawfile.ErrDamaged, bytes, a.Length, a.ElemSize)
	}
	return nil
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
	if row == 0 || ch.rec == nil || !isArrayChunk(ch.rec) {
		return ch, fmt.Errorf("%w: its row is not there", rawfile.ErrDamaged)
	}
	actual, err := ch.rec.Int(3)
	if err != nil {
		return ch, err
	}
	ch.size = ch.rec.Size(2)
	if actual > ch.size || actual <= 0 && ch.size > 0 {
		return ch, fmt.Errorf("%w: it has %d bytes, and should have %d", rawfile.ErrDamaged, ch.size, actual)
	}
	if ch.rec.Class(2) == fileformat.Text {
		ch.size = actual
	}
	if ch.used, err = ch.rec.Int(4); err != nil {
		return ch, err
	}
	if ch.rec.Len() < 5 {
		ch.used = ch.size
	}
	deleted, err := ch.rec.Int(5)
	ch.deleted = deleted != 0
	if err == nil && (ch.used < 0 || ch.used > ch.size) {
		err = fmt.Errorf("%w: %d of its %d bytes are in use", rawfile.ErrDamaged, ch.used, ch.size)
	}
	return ch, err
}

// copy brings over an array that is whole. One that cannot be finished is removed.
func (c *arrayCopier) copy(a engine.Array) error {
	var made engine.Array
	err := c.transact(func(x engine.Arrays) (err error) {
		made, err = x.CreateArray(c.ctx, engine.Array{Name: a.Name, Type: a.Type, ElemSize: a.ElemSize, MinChunk: a.MinChunk, MaxChunk: a.MaxChunk})
		return err
	})
	first := c.first(&a)
	if err == nil && first > 0 {
		err = c.transact(func(x engine.Arrays) error { return x.ResizeChunk(c.ctx, made.ID, 0, 0) })
	}
	for i := first; i < first+int64(len(c.rows[a.ID])); i++ {
		if err == nil {
			err = c.transact(func(x engine.Arrays) error { return c.copyChunk(x, a.ID, made.ID, i) })
		}
	}
	if err == nil {
		err = c.transact(func(x engine.Arrays) error { return x.SetArrayLength(c.ctx, made.ID, a.Length) })
	}
	if err == nil {
		c.report.Columns++
		c.progress()
	}
	return err
}

func (c *arrayCopier) copyChunk(x engine.Arrays, from, to, i int64) error {
	ch, err := c.chunk(from, i)
	if err != nil {
		return err
	}
	rd, err := ch.rec.Reader(2)
	if err != nil {
		return err
	}
	if err := x.ResizeChunk(c.ctx, to, i, ch.size); err != nil {
		return err
	}
	buf := make([]byte, min(ch.size, pieceBytes))
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
