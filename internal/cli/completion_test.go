package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBashCompletion runs the script in a bash that has not loaded the package bash-completion.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "kvault")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, line, cur, want string }{
		{`kvault ge`, "kvault ge", "1", "get"},
		{`kvault get ph`, "kvault get ph", "2", "photos/"},
		{`kvault get photos/c`, "kvault get  photos/c", "2", "photos/cat.jpg"},
		{`kvault get user : 1`, "kvault get user:1", "4", "12"}, // bash puts it behind the colon
		{`kvault get user :`, "kvault get user:", "3", "12"},
		{`kvault get a = b : c`, "kvault get a=b:c", "6", "cd"},
		{`kvault ls --sort = si`, "kvault ls --sort=si", "4", "size"},
		{`kvault stat ph x`, "kvault stat ph x", "2", "photos/"}, // the cursor is inside the line
	} {
		t.Run(c.line, func(t *testing.T) {
			script := `source <(kvault completion bash)
kvault put photos/cat.jpg <<< x; kvault put user:12 <<< x; kvault put a=b:cd <<< x
COMP_WORDS=(` + strings.ReplaceAll(c.words, " : ", " ':' ") + `) COMP_CWORD=` + c.cur + ` COMP_LINE=` + "'" + c.line + "'" + ` COMP_TYPE=9
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
compopt() { :; } # bash has it during a completion only
__start_kvault 2>&1
printf '%s\n' "${COMPREPLY[@]%% *}"
`
			cmd := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c", script)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "KVAULT_FILE="+filepath.Join(t.TempDir(), "v.kv"))
			out, err := cmd.CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != c.want {
				t.Errorf("%q, %v; want %q", out, err, c.want)
			}
		})
	}
}
