//go:build reliability

package reliability

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/ncruces/go-sqlite3"
)

var (
	damageTree  = flag.String("damagetree", "", "the folder whose files are in the vault that is damaged; empty means the parts crypto, encoding, go and net of Go's own source")
	damageShell = flag.String("sqlite3", "sqlite3", "the shell of SQLite whose .recover is compared; it must be built with SQLITE_ENABLE_DBPAGE_VTAB, as Debian's is not")
	damageTable = flag.String("damagetable", "", "the Markdown file whose table of damages is written anew")
)

// came is what came of the values of a damaged vault.
type came struct {
	right, doubted, wrongTold, wrongUntold, lost, lostUntold int
}

// TestDamages makes the table of docs/salvage.md: what Salvage and SQLite's own .recover bring back
// of a vault of real files. Without a shell that can recover a whole vault the second half stays
// empty.
func TestDamages(t *testing.T) {
	data, values := filesTemplate(t)
	recovers := canRecover(t, data, values)
	var table strings.Builder
	fmt.Fprintf(&table, "%d values, %d MiB, in a file of %d MiB.\n\n", len(values), sizeOf(values)>>20, len(data)>>20)
	table.WriteString("| damage | right | of these called doubtful | wrong and told | wrong and untold | lost | lost and untold | `.recover`: right | wrong and untold | lost |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i, kind := range damageKinds {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		dir := t.TempDir()
		path := filepath.Join(dir, "hurt.kv")
		if err := os.WriteFile(path, kind.hurt(bytes.Clone(data), r), 0o600); err != nil {
			t.Fatal(err)
		}
		c := salvageAll(t, path, values)
		if c.wrongUntold+c.lostUntold > 0 {
			t.Errorf("%s: %d values came back wrong and %d are missing, and nothing says so", kind.name, c.wrongUntold, c.lostUntold)
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d | %d | %d |", kind.name, c.right, c.doubted, c.wrongTold, c.wrongUntold, c.lost, c.lostUntold)
		if recovers {
			table.WriteString(recoverAll(t, path, values).recovered())
		} else {
			table.WriteString(" | | |\n")
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(table.String()), "\n")
		t.Log(lines[len(lines)-1])
	}
	if *damageTable != "" {
		writeTable(t, *damageTable, table.String())
	}
}

// recovered is the second half of a row. That nothing came back at all is no count: the shell was
// ended by its limits.
func (c came) recovered() string {
	if c.right+c.wrongUntold == 0 {
		return " no result | | |\n"
	}
	return fmt.Sprintf(" %d | %d | %d |\n", c.right, c.wrongUntold, c.lost)
}

func sizeOf(values map[string][]byte) (n int) {
	for _, v := range values {
		n += len(v)
	}
	return n
}

// writeTable puts the table between the two marks of a document.
func writeTable(t *testing.T, path, table string) {
	t.Helper()
	const from, to = "<!-- table of damages -->\n", "<!-- end of the table -->"
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(old), from)
	_, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	if err := os.WriteFile(path, []byte(before+from+table+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rowLimit is the largest value that is one row.
const rowLimit = 1 << 20

// filesTemplate is a vault of real files and of large random values, some replaced and some removed
// since.
func filesTemplate(t *testing.T) (data []byte, values map[string][]byte) {
	t.Helper()
	values = map[string][]byte{}
	root, parts := *damageTree, []string{"."}
	if root == "" {
		root, parts = filepath.Join(runtime.GOROOT(), "src"), []string{"crypto", "encoding", "go", "net"}
	}
	for _, part := range parts {
		err := fs.WalkDir(os.DirFS(root), part, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				values[name], err = os.ReadFile(filepath.Join(root, name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		large := make([]byte, rowLimit+r.IntN(4<<20))
		fill(large, r)
		values[fmt.Sprintf("large/%02d", i)] = large
	}
	keys := slices.Sorted(maps.Keys(values))
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(ctx, path, &kvault.Options{PageSize: damagePage, OneRowLimit: rowLimit})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		v.WithCache(ctx, nil, func() error {
			for _, key := range keys { // what the values replace
				if err := v.Put(ctx, key, bytes.Repeat([]byte("old "+key), 1+r.IntN(40))); err != nil {
					return err
				}
			}
			return nil
		}),
		v.WithCache(ctx, nil, func() error {
			for _, key := range keys {
				if err := v.Put(ctx, key, values[key]); err != nil {
					return err
				}
			}
			return nil
		}), v.Close())
	if err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return data, values
}

// salvageAll salvages a vault, and holds what comes back against what was there.
func salvageAll(t *testing.T, path string, values map[string][]byte) (c came) {
	t.Helper()
	ctx := t.Context()
	doubt, lost := map[string]bool{}, map[string]bool{}
	allDoubtful, ranges := false, false
	_, err := kvault.Salvage(ctx, path, path+".new", &kvault.SalvageOptions{OnLoss: func(l kvault.Loss) {
		switch {
		case l.Copied && l.Key != "":
			doubt[l.Key] = true
		case l.Copied:
			allDoubtful = true
		case l.Key != "":
			lost[l.Key] = true
		default:
			ranges = true
		}
	}})
	if errors.Is(err, kvault.ErrCorrupt) {
		return came{lost: len(values)}
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := kvault.Open(ctx, path+".new", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, v)
	there := map[string]bool{}
	for item, err := range v.Items(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		there[item.Key] = true
		want, known := values[item.Key]
		doubtful := doubt[item.Key] || allDoubtful
		switch {
		case known && bytes.Equal(item.Value, want):
			c.right++
			if doubtful {
				c.doubted++
			}
		case doubtful:
			c.wrongTold++
		default:
			t.Logf("%q came back with other %d bytes", item.Key, len(item.Value))
			c.wrongUntold++
		}
	}
	for key := range values {
		if !there[key] {
			c.lost++
			if !lost[key] && !ranges {
				c.lostUntold++
			}
		}
	}
	return c
}

// canRecover says whether there is a shell, and its .recover works.
func canRecover(t *testing.T, data []byte, values map[string][]byte) bool {
	t.Helper()
	if _, err := exec.LookPath(*damageShell); err != nil {
		t.Log(err)
		return false
	}
	path := filepath.Join(t.TempDir(), "whole.kv")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := recoverAll(t, path, values); c.right < len(values) {
		t.Logf("%s recovers %d of %d values of a whole vault, and is not compared", *damageShell, c.right, len(values))
		return false
	}
	return true
}

// recoverAll does the same, within a minute and 3 GB of memory, which random bytes make it exceed,
// by SQLite's shell. What it puts into its table lost_and_found counts, though a user would have to
// find out what is what.
func recoverAll(t *testing.T, path string, values map[string][]byte) (c came) {
	t.Helper()
	to := path + ".recovered"
	shell := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -v 3000000; timeout 60 "$1" "$2" .recover | timeout 60 "$1" "$3"`, "sh", *damageShell, path, to)
	if out, err := shell.CombinedOutput(); err != nil {
		t.Logf("%s: %v, %.200s", *damageShell, err, out)
	}
	got := map[string][]byte{}
	take := func(pairs map[string][]byte) {
		for key, value := range pairs {
			if _, there := got[key]; !there || bytes.Equal(value, values[key]) {
				got[key] = value
			}
		}
	}
	take(recoveredRows(to, `SELECT c1, c3 FROM lost_and_found WHERE nfield = 4`, values))
	take(recoveredRows(to, `SELECT key, value FROM kvault`, values))
	take(recoveredLarge(t.Context(), to, values))
	for key, want := range values {
		value, there := got[key]
		switch {
		case !there:
			c.lost++
		case bytes.Equal(value, want):
			c.right++
		default:
			c.wrongUntold++
		}
	}
	return c
}

func recoveredRows(path, sql string, values map[string][]byte) map[string][]byte {
	pairs := map[string][]byte{}
	c, err := sqlite3.Open(path)
	if err != nil {
		return nil
	}
	defer c.Close()
	st, _, err := c.Prepare(sql)
	if err != nil {
		return nil
	}
	defer st.Close()
	for st.Step() {
		key := st.ColumnText(0)
		if len(values[key]) > rowLimit { // a reference
			continue
		}
		if pairs[key] == nil {
			pairs[key] = append([]byte{}, st.ColumnRawBlob(1)...)
		}
	}
	return pairs
}

// recoveredLarge reads the large values as a vault, if what was recovered can be opened as one.
func recoveredLarge(ctx context.Context, path string, values map[string][]byte) map[string][]byte {
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		return nil
	}
	defer v.Close()
	pairs := map[string][]byte{}
	for key, want := range values {
		if len(want) > rowLimit {
			if value, err := v.Get(ctx, key); err == nil {
				pairs[key] = value
			}
		}
	}
	return pairs
}
