package exchange_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/race"
)

// A shape takes a few bytes, whatever it says.
func TestEmptyTensorOfManyLists(t *testing.T) {
	for _, shape := range [][]int{{1 << 24, 0}, {1 << 20, 1 << 20, 0}, {min(1<<32-1, math.MaxInt), 0}} {
		v := open(t)
		fill(t, v, "t", column.Tensors[float32](), column.Tensor[float32]{Shape: shape, Data: []float32{}})
		for _, f := range exchange.Formats {
			w := &limited{left: 1 << 20}
			_, err := exchange.Export(t.Context(), v, w, f, []string{"t"}, nil)
			if !errors.Is(err, kvault.ErrTooLarge) || !strings.Contains(err.Error(), `"t"`) {
				t.Errorf("%v as %s: error %v", shape, f, err)
			}
		}
	}
}

type limited struct{ left int }

func (w *limited) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// Elements without bytes take memory too.
func TestEmptyElementsAreNotGathered(t *testing.T) {
	const rows = 3 << 20 / race.Slowdown
	v, ctx := open(t), t.Context()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	_, err := exchange.Import(ctx, v, io.LimitReader(newlines{}, rows), exchange.Lines, &exchange.ImportOptions{
		Columns: []string{"c"}, Types: map[string]string{"c": "bytes"}, Progress: func(n int64) {
			if n%(1<<18) == 0 {
				most = max(most, heap())
			}
		}})
	must(t, err)
	if most > before+48<<20 {
		t.Errorf("%d rows of nothing took %d MiB", rows, (most-before)>>20)
	}
}

type newlines struct{}

func (newlines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

// A compressed buffer says how long it is when it is not. To take so much memory would end the
// process.
func TestArrowBufferOfAnyLength(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int64Builder).AppendValues(make([]int64, 1000), nil)
	rec := b.NewRecordBatch()
	var file bytes.Buffer
	w, err := ipc.NewFileWriter(&file, ipc.WithSchema(schema), ipc.WithZstd())
	must(t, err)
	must(t, w.Write(rec))
	must(t, w.Close())
	for _, claim := range []uint64{1 << 36, 1 << 46, 1 << 62, 1<<64 - 2} {
		length := binary.LittleEndian.AppendUint64(nil, 8000)
		damaged := bytes.Replace(file.Bytes(), append(length, 0x28, 0xb5, 0x2f, 0xfd), append(binary.LittleEndian.AppendUint64(nil, claim), 0x28, 0xb5, 0x2f, 0xfd), 1)
		if bytes.Equal(damaged, file.Bytes()) {
			t.Fatal("the test does not find the buffer")
		}
		_, err := exchange.Import(t.Context(), open(t), bytes.NewReader(damaged), exchange.Arrow, nil)
		if !errors.Is(err, kvault.ErrInvalid) {
			t.Errorf("%d bytes: error %v", claim, err)
		}
	}
	n, err := exchange.Import(t.Context(), open(t), bytes.NewReader(file.Bytes()), exchange.Arrow, nil)
	if err != nil || n != 1000 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// A schema that claims millions of fields is refused before the library for Arrow makes room for
// them, whatever the format is.
func TestSchemaOfManyFields(t *testing.T) {
	v := open(t)
	fill(t, v, "n", column.Int64, 1, 2, 3)
	for _, f := range []exchange.Format{exchange.Arrow, exchange.Arrows, exchange.Parquet} {
		var out bytes.Buffer
		_, err := exchange.Export(t.Context(), v, &out, f, []string{"n"}, nil)
		must(t, err)
		infer := func(file []byte) error {
			_, err := exchange.Infer(t.Context(), bytes.NewReader(file), f, nil)
			return err
		}
		must(t, infer(out.Bytes()))
		claim := func(b []byte, at int) []byte {
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint32(b[at:], 1<<24) // 2 GB of fields
			return b
		}
		schema, replaced := out.Bytes(), func(b []byte) []byte { return b }
		if f == exchange.Parquet {
			text := regexp.MustCompile(`/////[A-Za-z0-9+/=]+`).Find(out.Bytes())
			schema, err = base64.StdEncoding.DecodeString(string(text))
			must(t, err)
			replaced = func(b []byte) []byte {
				return bytes.Replace(out.Bytes(), text, []byte(base64.StdEncoding.EncodeToString(b)), 1)
			}
		}
		var before, after runtime.MemStats
		for at := range len(schema) - 4 {
			file := replaced(claim(schema, at))
			runtime.ReadMemStats(&before)
			_ = infer(file)
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<30 { // 10 GB without the check
				t.Errorf("%s, claimed at byte %d: %d MiB were taken", f, at, (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		}
	}
}
