package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/web/internal/api"
)

func TestRefusedParameters(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, 1)
	add(t, v, "t/a", column.Int64, 1)
	put(t, v, "k")
	c := everything(t, v)
	for path, want := range map[string]string{
		"keys?unknown=1":                       `no parameter \"unknown\"`,
		"keys?key=k":                           "no parameter",
		"keys?" + strings.Repeat("x", 5000):    "no parameter",
		"keys?prefix=a&prefix=b":               "2 times",
		"keys?limit=1&limit=1":                 "2 times",
		"keys?prefix=%":                        "percent-encoded",
		"keys?prefix=%zz":                      "percent-encoded",
		"keys?a;b":                             "percent-encoded",
		"keys?limit=0":                         "from 1 to 10000",
		"keys?limit=-1":                        "from 1 to 10000",
		"keys?limit=10001":                     "from 1 to 10000",
		"keys?limit=":                          "from 1 to 10000",
		"keys?limit=1e3":                       "from 1 to 10000",
		"keys?limit=99999999999999999999":      "from 1 to 10000",
		"keys?reverse=maybe":                   "false, true",
		"keys?after=":                          "after is",
		"keys?after=a/b":                       "after is",
		"keys?after=YQ==":                      "after is",
		"keys?after=YR":                        "after is", // bits that are not of a byte
		"keys?after=%00":                       "after is",
		"keys?after=YQ%0A":                     "after is",
		"du?reverse=true":                      "no parameter",
		"du?after=YQ":                          "goes with delimiter",
		"columns?prefix=a":                     "no parameter",
		"columns/n?format=xml":                 "format is one of",
		"columns/n?format=":                    "format is one of",
		"columns/n?limit=10001":                "from 1 to 10000",
		"columns/n?limit=0&format=csv":         "from 1 to",
		"columns/n?offset=9223372036854775808": "offset is a number",
		"columns/n?column=n":                   "end the path",
		"columns/n?key=n":                      "name two keys",
		"columns/n?view=other":                 "view is one of",
		"columns/n?view=plot&view=plot":        "2 times",
		"columns/n?view=summary&limit=1":       "no parameter",
		"columns/n?view=rows&bins=1":           "no parameter",
		"columns/n?view=histogram&bins=0":      "from 1 to 200",
		"columns/n?view=histogram&bins=201":    "from 1 to 200",
		"columns/n?view=plot&points=3":         "from 4 to 10000",
		"columns/n?view=plot&points=10001":     "from 4 to 10000",
		"columns/n?view=plot&from=x":           "from is a number",
		"columns/n?view=plot&to=1.5":           "to is a number",
		"columns/t/?column=a&column=a":         "twice",
		"columns/":                             "names no",
		"columns/?key=n&key=n":                 "2 times",
		"columns/%zz":                          "",
		"stats?x":                              "no parameter",
	} {
		if strings.Contains(path, "/%zz") {
			continue // clients and servers refuse it before
		}
		status, text := c.status("GET", path, "")
		if status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%.80s: %d %s, want %q", path, status, text, want)
		}
		if len(text) > 400 {
			t.Errorf("%.80s: the error has %d bytes", path, len(text))
		}
	}
}

func TestNothingThere(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, 1)
	c := everything(t, v)
	for _, path := range []string{
		"", "key", "keys/", "Keys", "keys%2F", "du/x", "stats/", "prefix/", "columns/absent", "columns/n%2F",
		"columns/n/", "columns/N", "columns/n?view=plot&x", "columns/absent?view=plot", "columns/absent?view=summary",
		"columns/absent?view=histogram", "columns/n%00", "columns/%FF", "columns/n_valid", "columns/absent/?column=a",
		"columns/" + strings.Repeat("n", 300), "columns/?key=absent", "columns/..%2Fn", "columns/%2e%2e/n",
	} {
		status, text := c.status("GET", path, "")
		if path == "columns/n?view=plot&x" {
			if status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", path, status, text)
			}
			continue
		}
		if status != http.StatusNotFound {
			t.Errorf("%.80s: %d %s", path, status, text)
		}
	}
}

func TestMethods(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, 1)
	c := everything(t, v)
	for _, path := range []string{"keys", "du", "columns", "columns/n", "stats", "prefix", "delete"} {
		allowed := "GET, HEAD"
		if path == "prefix" || path == "delete" {
			allowed = "POST"
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			res := c.do(method, path, "")
			refused := !strings.Contains(allowed, method)
			if got := res.StatusCode == http.StatusMethodNotAllowed; got != refused {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
			if got := res.Header.Get("Allow"); refused && got != allowed {
				t.Errorf("%s %s: Allow %q", method, path, got)
			}
		}
	}
}

// HEAD has the header of GET, and its refusals.
func TestHead(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, 1)
	c := everything(t, v)
	for path, contentType := range map[string]string{
		"keys": "application/json; charset=utf-8", "du": "application/json; charset=utf-8",
		"columns": "application/json; charset=utf-8", "stats": "application/json; charset=utf-8",
		"columns/n": "application/json; charset=utf-8", "columns/n?view=plot": "application/json; charset=utf-8",
		"columns/n?format=csv":    "text/csv; charset=utf-8; header=present",
		"columns/n?format=ndjson": "application/x-ndjson; charset=utf-8",
		"columns/n?format=arrow":  "application/vnd.apache.arrow.stream",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			res := c.do(method, path, "")
			if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != contentType {
				t.Errorf("%s %s: %d, %q", method, path, res.StatusCode, got)
			}
		}
	}
	for _, path := range []string{"keys?limit=0", "columns/n?view=x"} {
		if status, text := c.status("HEAD", path, ""); status != http.StatusBadRequest || text != "" {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
}

func TestGrants(t *testing.T) {
	v := newVault(t)
	put(t, v, "a/1", "a/b/2", "secret/3")
	add(t, v, "a/n", column.Int64, 1)
	add(t, v, "a/b/n", column.Int64, 1)
	add(t, v, "secret/n", column.Int64, 1)
	own := serve(t, api.New(v), grantOf(false, "a/b/", "a/b/c"))
	for path, allowed := range map[string]bool{
		"keys":                            false,
		"keys?prefix=a/":                  false,
		"keys?prefix=a/b":                 false,
		"keys?prefix=a/b/":                true,
		"keys?prefix=a/b/2":               true,
		"keys?prefix=secret/":             false,
		"keys?prefix=a/b/&after=YQ":       true,
		"du":                              false,
		"du?prefix=a/b/":                  true,
		"du?prefix=a/&delimiter=/":        false,
		"stats":                           false,
		"columns":                         true,
		"columns/a/b/n":                   true,
		"columns/a/n":                     false,
		"columns/absent":                  false,
		"columns/a/b/":                    true,
		"columns/a/":                      false,
		"columns/a/?column=b/n":           true,
		"columns/a/?column=b/n&column=n":  false,
		"columns/secret/n?view=summary":   false,
		"columns/secret/n?view=histogram": false,
		"columns/secret/n?view=plot":      false,
		"columns/a/b/n?view=plot":         true,
		"columns/?key=secret/n":           false,
		"columns/a/b/../n":                false,
	} {
		status, text := own.status("GET", path, "")
		switch {
		case allowed && status != http.StatusOK && !(path == "columns/a/b/../n"):
			t.Errorf("%s: %d %s", path, status, text)
		case !allowed && status != http.StatusForbidden && !(path == "columns/a/b/../n" && status == http.StatusNotFound):
			t.Errorf("%s: %d %s", path, status, text)
		}
		if strings.Contains(text, "secret") || strings.Contains(text, `"a/n"`) {
			t.Errorf("%s: %s tells of others", path, text)
		}
		if path == "keys" && !strings.Contains(text, `a/b/`) {
			t.Errorf("%s: %s does not name the token's prefix", path, text)
		}
	}
	if got := own.get("columns"); strings.Count(got, `"name"`) != 1 || !strings.Contains(got, `"a/b/n"`) {
		t.Errorf("%s", got)
	}
	if got := serve(t, api.New(v), grantOf(false)).get("columns"); got != "{\"columns\":[]}\n" {
		t.Errorf("%s", got)
	}
}

// What the vault says of its file stays in the log.
func TestErrorsOfTheVault(t *testing.T) {
	v := newVault(t)
	c := everything(t, v)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"keys", "du", "du?delimiter=/", "columns", "columns/n", "columns/t/", "stats"} {
		status, text := c.status("GET", path, "")
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "about to stop") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for path, body := range map[string]string{"prefix": `{"action":"delete","from":"a"}`, "delete": `{"keys":["a"]}`} {
		if status, text := c.status("POST", path, body); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestLengthsOfErrors(t *testing.T) {
	v := newVault(t)
	long := serve(t, api.New(v), grantOf(false, strings.Repeat("p", 3000)))
	if status, text := long.status("GET", "keys", ""); status != http.StatusForbidden || len(text) > 400 {
		t.Errorf("%d, %d bytes", status, len(text))
	}
	if status, text := serve(t, api.New(v), grantOf(false)).status("GET", "keys", ""); status != http.StatusForbidden || !strings.Contains(text, "no keys") {
		t.Errorf("%d %s", status, text)
	}
}
