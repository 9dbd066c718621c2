package cli

import (
	"os"
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
