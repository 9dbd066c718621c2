//go:build python

package pytables

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is a block of commands of a page, and what it says they print.
type step struct{ commands, output string }

var (
	indented = regexp.MustCompile(`(?m)^    .*\n(?:^    .*\n|^\n)*`)
	fenced   = regexp.MustCompile("^\n*```\n((?s).*?)```\n")
)

// stepsOf returns the indented blocks of a page in order, each with the fenced one that follows it.
func stepsOf(page string) (steps []step) {
	for page != "" {
		at := indented.FindStringIndex(page)
		if at == nil {
			break
		}
		block := page[at[0]:at[1]]
		page = page[at[1]:]
		s := step{commands: strings.ReplaceAll("\n"+block, "\n    ", "\n")}
		if out := fenced.FindStringSubmatch(page); out != nil {
			s.output, page = out[1], page[len(out[0]):]
		}
		steps = append(steps, s)
	}
	return steps
}

// TestDocumented runs the commands of docs/duckdb.md, in order and in one folder, and compares what
// they print.
func TestDocumented(t *testing.T) {
	command, interp := programs(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "duckdb.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := stepsOf(string(page))
	if len(steps) < 4 {
		t.Fatalf("%d blocks of commands on the page, want 4 at least", len(steps))
	}
	dir := t.TempDir()
	unpack := `import datasets; open("flights.csv", "wb").write(next(read() for name, read in datasets.all_files() if "flights.csv" in name))`
	cmd := exec.CommandContext(t.Context(), interp, "-c", unpack)
	scripts, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+scripts, "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := strings.Join([]string{filepath.Dir(command), filepath.Dir(interp), os.Getenv("PATH")}, string(os.PathListSeparator))
	for _, s := range steps {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", s.commands)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path, "TZ=UTC")
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", s.commands, err, complaint.String())
		}
		if s.output != "" && string(out) != s.output {
			t.Errorf("%s\nprints\n%s\nand the page says\n%s", s.commands, out, s.output)
		}
	}
}
