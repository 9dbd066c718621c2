package page

import (
	"go/parser"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kohakuvault/kvault/web/internal/access"
)

// hostileKeys are keys that mean something to a shell, a program, HTML or a terminal.
var hostileKeys = []string{
	"it's",
	`a"b`,
	"`id`",
	"$(id)",
	"$HOME",
	"a b",
	"a;rm -rf b",
	"line\nbreak",
	"tab\there",
	`back\slash`,
	"-rf",
	"--output",
	"a&b|c>d",
	"{a,b}",
	"[1-9]",
	"*",
	"~root",
	"!x",
	"#x",
	"%41",
	"<b>",
	"\u202egpj.exe",
	"\x00",
	"\xff\xfe",
	"..",
	"a/../b",
	"a//b",
	"folder/",
	"'\\''; id; '",
	"a'$(id)'b",
}

// A shell reads the commands as the words that they are, and a compiler the program.
func TestSnippets(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		sh = ""
	}
	for _, token := range []bool{false, true} {
		for _, key := range hostileKeys {
			r := httptest.NewRequest(http.MethodGet, "http://vault.example:8080/", nil)
			r.Host = "vault.example$(id)'`id`"
			if token {
				r.Header.Set("Authorization", "Bearer secret-of-the-request")
			}
			for _, c := range snippets(r, key, true) {
				if strings.Contains(c.Code, "secret-of") {
					t.Errorf("%q: the token is in %s", key, c.Code)
				}
				if strings.HasPrefix(c.ID, "go") {
					if _, err := parser.ParseExpr("func() error {\n" + c.Code + "\nreturn err }"); err != nil {
						t.Errorf("%q: %v in %s", key, err, c.Code)
					}
					continue
				}
				if sh == "" {
					continue
				}
				cmd := exec.Command(sh, "-c", `curl() { printf '%s\000' "$@"; }`+"\nTOKEN=t\n"+c.Code)
				cmd.Dir = t.TempDir()
				if c.ID == "curl-put" {
					if err := os.WriteFile(filepath.Join(cmd.Dir, fileName(key)), nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%q: %v, %s", key, err, out)
				}
				words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
				want := 4
				if token {
					want = 6
				}
				if len(words) != want || words[len(words)-1] != "http://"+r.Host+link("/v/", key) ||
					strings.HasPrefix(words[len(words)-2], "-") != (c.ID == "curl-put") ||
					token && words[2] != "Authorization: Bearer t" {
					t.Errorf("%q: %s is %q", key, c.Code, words)
				}
			}
		}
	}
}

// The page of every key is whole, and its links lead back to the key.
func TestHostileKeys(t *testing.T) {
	s := newSite(t, access.Everything(true), hostileKeys...)
	for _, key := range hostileKeys {
		body := s.view(link("/view/", key))
		text := textIn(node(t, body, "text"))
		if text != "value of "+key && utf8.ValidString(key) && !strings.ContainsAny(key, "\x00\n") {
			t.Errorf("%q: %q", key, text)
		}
		if got := attr(node(t, body, "actions"), "data-key"); got != encode(key) {
			t.Errorf("%q: the script gets %s", key, got)
		}
		if strings.Contains(body, "<b>") ||
			strings.Count(body, "\u202e") > strings.Count(text, "\u202e") {
			t.Errorf("%q stands in the page as it is", key)
		}
		form := attr(node(t, body, "metadata"), "action")
		resp, _ := s.do(
			http.MethodPost,
			form,
			"application/x-www-form-urlencoded",
			strings.NewReader("type=a/b&name=n&value=v"),
		)
		if e, err := s.v.Stat(ctx, key); err != nil || resp.StatusCode != http.StatusSeeOther ||
			e.User["n"] != "v" ||
			e.ContentType != "a/b" {
			t.Errorf("%q: the form of %s does not change it: %s", key, form, resp.Status)
		}
	}
}
