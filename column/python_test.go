//go:build python

package column_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/pyenv"
)

// pinned is the version of the Python package that is tested against.
const pinned = "0.8.6"

// python is the interpreter of an environment with the package.
func python(t *testing.T) string {
	t.Helper()
	dir := *pyenv.Environments
	if dir == "" {
		dir = t.TempDir()
	}
	interpreter, err := pyenv.Interpreter(dir, pinned)
	must(t, err)
	return interpreter
}

func runPython(t *testing.T, interpreter string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(interpreter, args...)
	cmd.Stderr = new(bytes.Buffer)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, cmd.Stderr)
	}
	return out
}

// Read each column, print it, and append its elements once more.
const readAndAppend = `
import json, sys
from kohakuvault import ColumnVault
vault, read = ColumnVault(sys.argv[1]), {}
plain = lambda x: x.hex() if isinstance(x, bytes) else x.tolist() if hasattr(x, "tolist") else x
for name in sys.argv[2:]:
    column = vault[name]
    values = list(column)
    assert [plain(column[i]) for i in range(len(column))] == [plain(x) for x in values], name
    read[name] = [plain(x) for x in values]
    for value in values[:2]:
        column.append(value)
    column.extend(values[2:])
print(json.dumps(read))
`

// The golden columns are what the package writes today. It reads what is written here, and what it
// then appends is read here.
func TestPython(t *testing.T) {
	interpreter := python(t)
	script, err := filepath.Abs(filepath.Join("testdata", "golden", "make.py"))
	must(t, err)
	want, err := os.ReadFile(filepath.Join("testdata", "golden", "kohakuvault-"+pinned+".json"))
	must(t, err)
	if got := runPython(t, interpreter, script); !bytes.Equal(got, want) {
		t.Errorf("make.py prints otherwise than testdata/golden/kohakuvault-%s.json", pinned)
	}

	g, path := readGolden(t, pinned), newPath(t)
	from, to := g.build(t, chunksOf040), openFile(t, path)
	args := []string{"-c", readAndAppend, path}
	for _, c := range g.Columns {
		source, err := column.OpenAny(t.Context(), from, c.Name)
		must(t, err)
		target, err := column.CreateAny(t.Context(), to, c.Name, c.Dtype, nil)
		must(t, err)
		extend(t, target, elements(t, source))
		args = append(args, c.Name)
	}
	must(t, to.Close())
	var read map[string][]any
	dec := json.NewDecoder(bytes.NewReader(runPython(t, interpreter, args...)))
	dec.UseNumber()
	must(t, dec.Decode(&read))

	to = openFile(t, path)
	for _, c := range g.Columns {
		if diff := cmp.Diff(floats(c.Read), floats(read[c.Name]), bits); diff != "" {
			t.Errorf("%s: Python reads (-want +got)\n%s", c.Dtype, diff)
		}
		d, err := column.OpenAny(t.Context(), to, c.Name)
		must(t, err)
		xs, got := elements(t, d), []any{}
		for i := range xs.Len() {
			got = append(got, plainOf(xs.Index(i), dimsOf(d.Type())))
		}
		if diff := cmp.Diff(floats(append(c.Read, c.Read...)), any(got), bits); diff != "" {
			t.Errorf("%s: Go reads (-want +got)\n%s", c.Dtype, diff)
		}
	}
	_, err = to.Check(t.Context(), nil)
	must(t, err)
}
