//go:build browser

package resume

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const tusClient = "tus-js-client@4.3.1"

// The client that most pages use goes on with its upload after the server was killed, twice, in each
// protocol.
func TestTusJS(t *testing.T) {
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-save", tusClient)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm cannot install %s, which this test needs: %v\n%s", tusClient, err, out)
	}
	value, file := noise(64<<20+12345), filepath.Join(dir, "value")
	if err := os.WriteFile(file, value, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		protocol, path, chunk, key string
	}{
		{"tus-v1", "", "5000000", "k"},
		{"tus-v1", "", "0", "k"},
		{"ietf-draft-03", "k", "0", ""},
		{"ietf-draft-05", "k", "9000000", ""},
	} {
		t.Run(c.protocol+" in parts of "+c.chunk, func(t *testing.T) {
			vault := filepath.Join(t.TempDir(), "v.kv")
			p := startProcess(t, vault, "", len(value)/3)
			script, err := filepath.Abs("testdata/upload.mjs")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			node := exec.Command("node", script, file, p.url+Mount+c.path, c.protocol, c.chunk, c.key)
			node.Dir, node.Stdout, node.Stderr = dir, &out, os.Stderr
			if err := node.Start(); err != nil {
				t.Fatal(err)
			}
			for _, fatal := range []int{len(value) / 3, 0} {
				p.cmd.Wait() // says that it was killed
				p = startProcess(t, vault, strings.TrimPrefix(p.url, "http://"), fatal)
			}
			if err := node.Wait(); err != nil {
				t.Fatalf("%v: %s", err, &out)
			}
			if !regexp.MustCompile(`(?s)resume [1-9].*resume [1-9].*done`).Match(out.Bytes()) {
				t.Errorf("the client did not resume twice: %s", &out)
			}
			if got := p.do(t, "GET", "/k", nil, nil).want(t, 200, nil); got.body != string(value) {
				t.Errorf("the value has %d bytes that are not the %d sent", len(got.body), len(value))
			}
		})
	}
}
