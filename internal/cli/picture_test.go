package cli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// picture is the terminal session of the README: what a user types, in a folder of its own.
var picture = []string{
	`kvault -f go.kv import "$(go env GOROOT)/src" src`,
	`export KVAULT_FILE=go.kv`,
	`kvault tree src/container`,
	`kvault du src/hash --depth 1`,
	`kvault ls -l -r src/net --sort size --limit 3`,
	`kvault stat src/fmt/print.go`,
	`kvault check`,
}

// TestPicture draws docs/terminal.svg from a run of the commands on Go's own source:
//
//	go test ./internal/cli -run TestPicture -update
//
// What they print depends on the release of Go, so without -update it only compares the commands.
func TestPicture(t *testing.T) {
	name := filepath.Join("..", "..", "docs", "terminal.svg")
	if *update {
		if err := os.WriteFile(name, drawTerminal(runPicture(t)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, line := range strings.Split(plainText(t, text), "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			shown = append(shown, command)
		}
	}
	if got, want := strings.Join(shown, "\n"), strings.Join(picture, "\n"); got != want {
		t.Errorf("%s shows\n%s\nand the commands are\n%s", name, got, want)
	}
}

// plainText is the text of an SVG, which must be well-formed.
func plainText(t *testing.T, svg []byte) string {
	t.Helper()
	var b strings.Builder
	for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			b.Write(data)
		}
	}
}

// runPicture returns the lines of the session, as a terminal shows them at last.
func runPicture(t *testing.T) (lines []string) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "kvault")); err != nil {
		t.Fatal(err)
	}
	for _, command := range picture {
		lines = append(lines, "$ "+command)
		// script, of util-linux, makes a terminal for the shell.
		cmd := exec.CommandContext(t.Context(), "script", "-qec", "stty cols 84; "+command, os.DevNull)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "TERM=xterm", "KVAULT_FILE=go.kv")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		for line := range strings.Lines(string(out)) {
			line = strings.TrimRight(line, "\r\n")
			if i := strings.LastIndex(line, "\x1b[2K"); i >= 0 { // what was there before is erased
				line = line[i+len("\x1b[2K"):]
			}
			if line = strings.TrimLeft(line, "\r"); line != "" {
				lines = append(lines, line)
			}
			if n := len([]rune(boldBlue.ReplaceAllString(line, "$1"))); n > 84 {
				t.Fatalf("%s prints %d characters in a line, and the picture has room for 84: %s", command, n, line)
			}
		}
	}
	return lines
}

var (
	boldBlue = regexp.MustCompile("\x1b\\[1;34m(.*?)\x1b\\[0m")
	escape   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// drawTerminal returns an SVG of a terminal with the lines.
func drawTerminal(lines []string) []byte {
	const height, width, margin = 19, 710, 16 // 84 characters of a font of 14 are 710 wide
	var b bytes.Buffer
	w, h := width+2*margin, len(lines)*height+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="A terminal session with kvault">
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
<text font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3" xml:space="preserve">`, w, h, w, h)
	for i, line := range lines {
		text := boldBlue.ReplaceAllString(escape.Replace(line), `<tspan fill="#79c0ff" font-weight="bold">$1</tspan>`)
		if command, ok := strings.CutPrefix(text, "$ "); ok {
			text = `<tspan fill="#7ee787">$ </tspan><tspan font-weight="bold">` + command + `</tspan>`
		}
		fmt.Fprintf(&b, `<tspan x="%d" y="%d">%s`+"\n</tspan>", margin, margin+14+i*height, text)
	}
	b.WriteString("</text>\n</svg>\n")
	return b.Bytes()
}
