//go:build python

package typed_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/pyenv"
	"github.com/kohakuvault/kvault/typed"
)

// The real package, installed by pip into an environment of its own. "go test -tags python ./typed"
// fails if it cannot be had.
var versions = []string{"0.7.1", "0.8.6", "1.1.0"}

const exchanged = 2000

func TestWithThePythonPackage(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			p := install(t, version)
			t.Run("golden", p.golden)
			t.Run("theirs", p.theirs)
			t.Run("ours", p.ours)
		})
	}
}

// python runs testdata/typed.py with one version of the package.
type python struct{ exe string }

func install(t *testing.T, version string) python {
	t.Helper()
	dir := *pyenv.Environments
	if dir == "" {
		dir = t.TempDir()
	}
	exe, err := pyenv.Interpreter(dir, version, "numpy")
	if err != nil {
		t.Fatal(err)
	}
	return python{exe}
}

func (p python) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.exe, append([]string{filepath.Join("testdata", "typed.py")}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

// lines are the values that the script prints, by key.
func (p python) lines(t *testing.T, args ...string) map[string]any {
	t.Helper()
	values := map[string]any{}
	in := bufio.NewScanner(bytes.NewReader(p.run(t, args...)))
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		var line struct {
			Key   string
			Value any
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, in.Bytes())
		}
		values[line.Key] = line.Value
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// Every version stores the golden values as they are in the file.
func (p python) golden(t *testing.T) {
	want, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.run(t, "golden"); !bytes.Equal(got, want) {
		t.Errorf("it stores or reads other values than testdata/golden.json has:\n%s", got)
	}
}

// What they write, we read.
func (p python) theirs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "theirs.db")
	seed := rand.Uint64()
	values := p.lines(t, "write", path, fmt.Sprint(seed), fmt.Sprint(exchanged))
	if len(values) != exchanged {
		t.Fatalf("%d values", len(values))
	}
	v, err := kvault.Open(t.Context(), path, &kvault.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for key, want := range values {
		got, err := typed.Get(t.Context(), v, key)
		if err != nil {
			t.Errorf("seed %d, %s: %v, want %v", seed, key, err, want)
			continue
		}
		data := got.Data
		// Their numbers do not say what they are.
		if n, ok := got.Int64(); ok && want.(map[string]any)["t"] == "int" {
			data = n
		} else if f, ok := got.Float64(); ok && want.(map[string]any)["t"] == "float" {
			data = f
		}
		if got := typed.Tag(t, data); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d, %s: %v, want %v", seed, key, got, want)
		}
	}
}

// What we write, they read as equal. The values are decoded from what they wrote, and each is
// written in every encoding that takes it.
func (p python) ours(t *testing.T) {
	dir := t.TempDir()
	seed := rand.Uint64()
	values := p.lines(t, "write", filepath.Join(dir, "theirs.db"), fmt.Sprint(seed), fmt.Sprint(exchanged))
	path := filepath.Join(dir, "ours.db")
	v, err := kvault.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	want := map[string]any{}
	store := func(key string, b []byte, err error, value any) {
		if err != nil {
			return // refused: the tests without Python look at what is
		}
		if err := v.Put(t.Context(), key, b); err != nil {
			t.Fatal(err)
		}
		want[key] = value
	}
	for key, theirs := range values {
		data, ok := typed.Untag(t, theirs)
		if !ok {
			continue
		}
		b, err := typed.Encode(data)
		if err != nil {
			t.Errorf("seed %d, %s: %v", seed, key, err)
		}
		store(key+" auto", b, err, theirs)
		for e := typed.Raw; e <= typed.Text; e++ {
			if _, isBytes := data.([]byte); e == typed.Pickle || e == typed.DataPacker && (isBytes || data == 0.0) {
				continue // bytes are an array of numbers there
			}
			value := theirs
			b, err := typed.EncodeAs(e, data)
			if e == typed.JSON && err == nil {
				v, err := typed.Decode(b)
				if err != nil {
					t.Fatal(err)
				}
				value = typed.Tag(t, v.Data) // a float without a fraction is an integer in JSON
			}
			store(fmt.Sprint(key, " ", e), b, err, value)
		}
	}
	for i, raw := range [][]byte{typed.AppendHeader(nil, typed.Pickle), []byte("\x89K\x01"), []byte("\x89K and more than that")} {
		b, err := typed.Encode(raw)
		store(fmt.Sprint("like a header ", i), b, err, typed.Tag(t, raw))
	}
	deep := any("x")
	for range typed.SharedDepth {
		deep = []any{deep}
	}
	for e := typed.JSON; e <= typed.CBOR; e++ {
		b, err := typed.EncodeAs(e, deep)
		if err != nil {
			t.Fatal(err)
		}
		store(fmt.Sprint("deep ", e), b, err, typed.Tag(t, deep))
	}
	if len(want) < 2*exchanged {
		t.Errorf("only %d values", len(want))
	}
	got := p.lines(t, "read", path)
	for key, value := range want {
		if !reflect.DeepEqual(got[key], value) {
			t.Errorf("seed %d, %s: they read %v, want %v", seed, key, got[key], value)
		}
	}
	t.Logf("%d values", len(want))
}
