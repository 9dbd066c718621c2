package exchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// TestImportFailsWhileItWrites fails behind so many rows that those before are being written.
func TestImportFailsWhileItWrites(t *testing.T) {
	const rows = 400_000
	var many bytes.Buffer
	many.WriteString("a,b\n")
	for i := range rows {
		fmt.Fprintf(&many, "%d,%d\n", i, -i)
	}
	broken := errors.New("the source broke")
	for name, c := range map[string]struct {
		rest io.Reader
		want error
		says string
	}{
		"a field that does not fit": {strings.NewReader("1,x\n"), kvault.ErrInvalid,
			fmt.Sprintf("row %d, line %d", rows+1, rows+2)},
		"a source that fails": {&failing{broken}, broken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := inMemory(t)
			before := runtime.NumGoroutine()
			source := io.MultiReader(bytes.NewReader(many.Bytes()), c.rest)
			_, err := exchange.Import(t.Context(), v, source, exchange.CSV,
				&exchange.ImportOptions{Types: map[string]string{"a": "i64", "b": "i64"}})
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%v, want %v with %q", err, c.want, c.says)
			}
			if list, err := column.List(t.Context(), v); err != nil || len(list) > 0 {
				t.Errorf("%v, %v; want nothing written", list, err)
			}
			end := time.Now().Add(time.Minute)
			for runtime.NumGoroutine() > before && time.Now().Before(end) {
				time.Sleep(time.Millisecond)
			}
			if n := runtime.NumGoroutine(); n > before {
				t.Errorf("%d goroutines, want %d", n, before)
			}
		})
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
