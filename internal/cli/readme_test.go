package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// word is an argument as the documents write them: bare, or in single quotes.
var word = regexp.MustCompile(`'([^']*)'|\S+`)

// commandsOf are the kvault commands of a document's section, as arguments.
func commandsOf(t *testing.T, path, section string) (commands [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut("\n"+string(text), "\n"+section+"\n")
	if !found {
		t.Fatalf("%s has no %q", path, section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		line, ok := strings.CutPrefix(line, "    kvault ")
		if !ok {
			continue
		}
		line, _, _ = strings.Cut(line, " #")
		var args []string
		for _, m := range word.FindAllStringSubmatch(line, -1) {
			args = append(args, strings.Trim(m[0], "'"))
		}
		commands = append(commands, args)
	}
	return commands
}

// The commands of README's section on the command line run in bash as they stand, one after the
// other, on a smaller tree than Go's whole library.
func TestReadmeCommands(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, pkg := range []string{"fmt", "net", "io"} {
		pkg = filepath.Join("src", pkg)
		if err := os.CopyFS(filepath.Join(dir, pkg), os.DirFS(filepath.Join(strings.TrimSpace(string(goroot)), pkg))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self, filepath.Join(dir, "kvault")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\necho '"+dir+"'\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## On the command line\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	script := []string{"set -ex", `kvault -f go.kv import "$(go env GOROOT)/src" src`}
	for line := range strings.Lines(rest) {
		if line, ok := strings.CutPrefix(line, "    "); ok {
			script = append(script, strings.TrimSpace(line))
		}
	}
	if len(script) < 20 {
		t.Fatalf("%d commands", len(script))
	}
	cmd := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c", strings.Join(script, "\n"))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

const flightsCSV = `year,month,day,dep_delay,carrier,flight,tailnum,dest,distance,time_hour
2013,1,1,2,UA,1545,N14228,IAH,1400,2013-01-01T10:00:00Z
2013,1,1,NA,AA,1141,N619AA,MIA,1089,2013-01-01T10:00:00Z
2013,1,1,-1,B6,725,N804JB,BQN,1576,2013-01-01T10:00:00Z
2013,1,1,-6,DL,461,N668DN,ATL,762,2013-01-01T11:00:00Z
`

// The commands of README's section on tables run as they stand, one after the other.
func TestReadmeTables(t *testing.T) {
	commands := commandsOf(t, "README.md", "## Tables")
	s := newSession(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("flights.csv", []byte(flightsCSV), 0o666); err != nil {
		t.Fatal(err)
	}
	if len(commands) < 8 {
		t.Fatalf("%d commands", len(commands))
	}
	for _, args := range commands {
		o := s.must("", args...)
		if strings.Contains(strings.Join(args, " "), "--where") && !strings.Contains(o.out, "1400\t") {
			t.Errorf("%q: %s", args, o.out)
		}
	}
	if _, err := os.Stat("flights.parquet"); err != nil {
		t.Error(err)
	}
}

// So do those of docs/tables.md.
func TestDocsTables(t *testing.T) {
	path := filepath.Join("docs", "tables.md")
	commands := append(commandsOf(t, path, "# Tables"), commandsOf(t, path, "## With other tools")...)
	if len(commands) < 6 {
		t.Fatalf("%d commands", len(commands))
	}
	s := newSession(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("flights.csv", []byte(flightsCSV), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range commands {
		s.must("", args...)
	}
}
