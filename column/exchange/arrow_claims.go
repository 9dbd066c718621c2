package exchange

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"
)

// The library for Arrow allocates the number of fields that a schema claims to have, and running
// out of memory ends the process. So what a schema claims is compared with its length before the
// library reads it. https://arrow.apache.org/docs/format/Columnar.html describes messages and
// footers, Schema.fbs and its like the tables.

var errClaim = errors.New("its schema claims more fields than it has room for")

// claims checks one schema.
type claims struct {
	bytes []byte
	left  int // how many fields and entries of metadata it can have
}

// slot is where a table has its field of that number.
func slot(n int) flatbuffers.VOffsetT { return flatbuffers.VOffsetT(4 + 2*n) }

// message returns the metadata of the message that b begins with, and its length. Newer files have
// a mark before the length.
func message(b []byte) (metadata []byte, length int64) {
	const mark = 1<<32 - 1
	if len(b) >= 8 && binary.LittleEndian.Uint32(b) == mark {
		b = b[4:]
	}
	if len(b) < 4 {
		return nil, 0
	}
	return b[4:], int64(binary.LittleEndian.Uint32(b))
}

// checkMessage checks the schema in the message that b begins with.
func checkMessage(b []byte) error {
	metadata, length := message(b)
	if length > int64(len(metadata)) {
		return errClaim
	}
	return checkSchema(metadata[:length], 2) // its header
}

// largestSchema bounds the schema of a stream. It is enough for half a million columns.
const largestSchema = 64 << 20

// checkStream checks the schema that a stream begins with, and returns what reads the stream from
// its beginning.
func checkStream(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	start, err := b.Peek(8)
	if err != nil {
		return nil, fmt.Errorf("%d bytes are no stream: %w", len(start), err)
	}
	_, length := message(start)
	if length > largestSchema {
		return nil, fmt.Errorf("a schema of %d bytes, at most %d are possible", length, largestSchema)
	}
	long := bufio.NewReaderSize(b, int(length)+8)
	if start, err = long.Peek(int(length) + 8); err != nil && err != io.EOF {
		return nil, err
	}
	return long, checkMessage(start)
}

// checkFooter checks the schema in the footer of a file. What is wrong with the footer itself, the
// library says.
func checkFooter(r io.ReaderAt, size int64) error {
	end := make([]byte, 4+len("ARROW1"))
	if _, err := r.ReadAt(end, size-int64(len(end))); err != nil {
		return nil
	}
	n := int64(binary.LittleEndian.Uint32(end))
	if n > size-int64(len(end)) || n > largestBuffer {
		return nil
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, size-int64(len(end))-n); err != nil {
		return nil
	}
	return checkSchema(b, 1)
}

// checkSchema checks the schema that the root table in b has as the field of that number.
func checkSchema(b []byte, field int) (err error) {
	defer func() {
		if recover() != nil { // an offset leads out of the bytes
			err = errClaim
		}
	}()
	if len(b) < flatbuffers.SizeUOffsetT {
		return errClaim
	}
	c := &claims{b, len(b) / flatbuffers.SizeUOffsetT}
	root := flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
	o := flatbuffers.UOffsetT(root.Offset(slot(field)))
	if o == 0 {
		return nil
	}
	schema := flatbuffers.Table{Bytes: b, Pos: root.Indirect(o + root.Pos)}
	return errors.Join(c.fields(schema, slot(1), 0), c.vector(schema, slot(2), nil))
}

// deepestField bounds how deep fields lie in one another.
const deepestField = 64

func (c *claims) fields(t flatbuffers.Table, at flatbuffers.VOffsetT, depth int) error {
	if depth > deepestField {
		return fmt.Errorf("its fields lie more than %d deep in one another", deepestField)
	}
	return c.vector(t, at, func(f flatbuffers.Table) error {
		return errors.Join(c.fields(f, slot(5), depth+1), c.vector(f, slot(6), nil))
	})
}

// vector checks the length of a vector of tables, and calls each, unless that is nil, with every
// table.
func (c *claims) vector(t flatbuffers.Table, at flatbuffers.VOffsetT, each func(flatbuffers.Table) error) error {
	o := flatbuffers.UOffsetT(t.Offset(at))
	if o == 0 {
		return nil
	}
	n, start := t.VectorLen(o), t.Vector(o)
	if n < 0 || n > c.left {
		return errClaim
	}
	c.left -= n
	for i := 0; each != nil && i < n; i++ {
		element := flatbuffers.Table{Bytes: c.bytes, Pos: t.Indirect(start + flatbuffers.UOffsetT(i*flatbuffers.SizeUOffsetT))}
		if err := each(element); err != nil {
			return err
		}
	}
	return nil
}
