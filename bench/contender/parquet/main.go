// Columns as a Parquet file, by the project's own library for Go. A Parquet file is written once:
// nothing is appended to it, and one element costs a page at least.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

func main() { load.Main("github.com/apache/arrow-go/v18", open) }

type store struct {
	load.Store
	path string
	full bool
	out  *os.File
	w    *file.Writer
}

func open(p contract.Params) (load.Store, error) {
	return &store{path: filepath.Join(p.Dir, "numbers.parquet"), full: p.Full}, nil
}

func (s *store) Close() error { return s.Flush() }

// Extend writes a row group.
func (s *store) Extend(x []int64) error {
	if len(x) == 1 {
		return fmt.Errorf("one element at a time: %w", load.ErrUnsupported)
	}
	if s.w == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	group, err := s.w.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	column, err := group.NextColumn()
	if err != nil {
		return err
	}
	if _, err := column.(*file.Int64ColumnChunkWriter).WriteBatch(x, nil, nil); err != nil {
		return err
	}
	return errors.Join(column.Close(), group.Close())
}

func (s *store) create() (err error) {
	if s.out, err = os.Create(s.path); err != nil {
		return err
	}
	node, err := schema.NewGroupNode("schema", parquet.Repetitions.Required,
		schema.FieldList{schema.NewInt64Node("number", parquet.Repetitions.Required, -1)}, -1)
	if err != nil {
		return err
	}
	props := parquet.NewWriterProperties(parquet.WithDictionaryDefault(false)) // a dictionary of random numbers only costs
	s.w = file.NewParquetWriter(s.out, node, file.WithWriterProps(props))
	return nil
}

// Flush ends the file, without which it cannot be read.
func (s *store) Flush() error {
	if s.w == nil {
		return nil
	}
	w := s.w
	s.w = nil
	return w.Close() // closes the file too
}

func (s *store) Scan(each func([]int64)) error {
	r, err := file.OpenParquetFile(s.path, false)
	if err != nil {
		return err
	}
	block := make([]int64, 1<<17)
	for g := range r.NumRowGroups() {
		column, err := r.RowGroup(g).Column(0)
		if err != nil {
			return errors.Join(err, r.Close())
		}
		numbers := column.(*file.Int64ColumnChunkReader)
		for numbers.HasNext() {
			_, n, err := numbers.ReadBatch(int64(len(block)), block, nil, nil)
			if err != nil {
				return errors.Join(err, r.Close())
			}
			each(block[:n])
		}
	}
	return r.Close()
}

func (s *store) At(int64) (int64, error) {
	return 0, fmt.Errorf("single elements: %w", load.ErrUnsupported)
}
