package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/api"
)

func keysOf(t testing.TB, v *kvault.Vault) (list []string) {
	t.Helper()
	for key, err := range v.Keys(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, key)
	}
	return list
}

func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		path, body, want string
		keys             []string
	}{
		{"prefix", `{"action":"rename","from":"a/","to":"b/"}`, `{"keys":2}`, []string{"b/1", "b/2", "c", "\xff/1"}},
		{"prefix", `{"action":"copy","from":"a/","to":"b/"}`, `{"keys":2}`, []string{"a/1", "a/2", "b/1", "b/2", "c", "\xff/1"}},
		{"prefix", `{"action":"delete","from":"a/"}`, `{"keys":2}`, []string{"c", "\xff/1"}},
		{"prefix", `{"action":"delete","from":"absent"}`, `{"keys":0}`, []string{"a/1", "a/2", "c", "\xff/1"}},
		{"prefix", `{"action":"rename","from":"a/","to":""}`, `{"keys":2}`, []string{"1", "2", "c", "\xff/1"}},
		{"prefix", `{"action":"rename","from_base64":"/y8=","to_base64":"/i8="}`, `{"keys":1}`, []string{"a/1", "a/2", "c", "\xfe/1"}},
		{"prefix", `{"action":"copy","from_base64":"/y8=","to":"a/","overwrite":true}`, `{"keys":1}`, []string{"a/1", "a/2", "c", "\xff/1"}},
		{"delete", `{"keys":["a/1","absent","a/1"],"keys_base64":["/y8x"]}`, `{"keys":2}`, []string{"a/2", "c"}},
		{"delete", `{"keys":[]}`, `{"keys":0}`, []string{"a/1", "a/2", "c", "\xff/1"}},
	} {
		v := newVault(t)
		put(t, v, "a/1", "a/2", "c", "\xff/1")
		status, text := everything(t, v).status("POST", tt.path, tt.body)
		if status != http.StatusOK || text != tt.want+"\n" {
			t.Errorf("%s: %d %s", tt.body, status, text)
		}
		if got := keysOf(t, v); !slices.Equal(got, tt.keys) {
			t.Errorf("%s: %q", tt.body, got)
		}
	}
}

func TestRefusedChanges(t *testing.T) {
	v := newVault(t)
	put(t, v, "a/1", "a/2", "b/1")
	before := keysOf(t, v)
	c := everything(t, v)
	for _, tt := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"prefix", `{"action":"rename","from":"a/","to":"b/"}`, 412, "nothing was changed"},
		{"prefix", `{"action":"copy","from":"a/","to":"b/","overwrite":false}`, 412, "exists"},
		{"prefix", `{"action":"rename","from":"a/","to":"a/b/","overwrite":true}`, 400, "overlap"},
		{"prefix", `{"action":"copy","from":"a/","to":"a/"}`, 400, "overlap"},
		{"prefix", `{"action":"rename","from":"a/","to":"` + strings.Repeat("x", kvault.MaxKey) + `"}`, 413, "too large"},
		{"prefix", `{"action":"delete","from":""}`, 400, "from is missing or empty"},
		{"delete", `{"keys":["x"` + strings.Repeat(`,"x"`, 10_000) + `]}`, 413, "at most 10000 keys"},
		{"prefix", `{"action":"delete"}`, 400, "from is missing"},
		{"prefix", `{"action":"rename","from":"","to":"x"}`, 400, "from is missing or empty"},
		{"prefix", `{"action":"rename","from":"a/"}`, 400, "to is missing"},
		{"prefix", `{"action":"delete","from":"a/","to":"x"}`, 400, "go with rename and copy"},
		{"prefix", `{"action":"delete","from":"a/","overwrite":true}`, 400, "go with rename and copy"},
		{"prefix", `{"action":"move","from":"a/","to":"x"}`, 400, "action is one of"},
		{"prefix", `{"from":"a/"}`, 400, "action is one of"},
		{"prefix", `{"action":1}`, 400, "action is a string"},
		{"prefix", `{"action":"delete","from":null}`, 400, "from is a string"},
		{"prefix", `{"action":"delete","from":["a"]}`, 400, "from is a string"},
		{"prefix", `{"action":"rename","from":"a/","to":"x","overwrite":"true"}`, 400, "true or false"},
		{"prefix", `{"action":"delete","from":"a/","From":"b"}`, 400, `no member \"From\"`},
		{"prefix", `{"action":"delete","from":"a/","from":"b/"}`, 400, "twice"},
		{"prefix", `{"action":"delete","from":"a/","from_base64":"Yi8="}`, 400, "exclude"},
		{"prefix", `{"action":"delete","from_base64":"Yi8"}`, 400, "base64"},
		{"prefix", `{"action":"delete","from_base64":"Yi9="}`, 400, "base64"},
		{"prefix", `{"action":"delete","from_base64":"` + "Yi\\n8=" + `"}`, 400, "base64"},
		{"prefix", "{\"action\":\"delete\",\"from\":\"\xff\"}", 400, "UTF-8"},
		{"prefix", `{"action":"delete","from":"\ud800"}`, 400, "surrogate"},
		{"prefix", `{"action":"delete","from":"a/"}{}`, 400, "follows"},
		{"prefix", `{"action":"delete","from":"a/"`, 400, "ends"},
		{"prefix", `[]`, 400, "object"},
		{"prefix", ` `, 400, "empty"},
		{"prefix", `{"x":` + strings.Repeat("[", 100_000), 400, "deep"},
		{"prefix", `{"action":"delete","from":"` + strings.Repeat("a", 300<<10) + `"}`, 413, "262144"},
		{"prefix?x=1", `{"action":"delete","from":"a/"}`, 400, "no parameter"},
		{"delete", `{"keys":"a/1"}`, 400, "list of strings"},
		{"delete", `{"keys":["a/1",""]}`, 400, "empty"},
		{"delete", `{"keys":["a/1",1]}`, 400, "string"},
		{"delete", `{"keys":["a/1"],"keys_base64":["a"]}`, 400, "base64"},
		{"delete", `{"key":"a/1"}`, 400, "no member"},
	} {
		status, text := c.status("POST", tt.path, tt.body)
		if status != tt.status || !strings.Contains(text, tt.says) || len(text) > 400 {
			t.Errorf("%.80s: %d %s, want %d %s", tt.body, status, text, tt.status, tt.says)
		}
	}
	if got := keysOf(t, v); !slices.Equal(got, before) {
		t.Errorf("%q is left", got)
	}
}

// A form of another site can send text, but not JSON.
func TestBodyOfAnotherType(t *testing.T) {
	v := newVault(t)
	put(t, v, "a")
	h := api.New(v)
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Content-Type", contentType)
			h.ServeHTTP(w, r)
		}), access.Everything(true))
		if status, text := s.status("POST", "delete", `{"keys":["a"]}`); status != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d %s", contentType, status, text)
		}
	}
}

func TestGrantsOfChanges(t *testing.T) {
	body := func(action, from, to string) string {
		if to == "" {
			return fmt.Sprintf(`{"action":%q,"from":%q}`, action, from)
		}
		return fmt.Sprintf(`{"action":%q,"from":%q,"to":%q}`, action, from, to)
	}
	var tokens []access.Token
	for prefix, write := range map[string]bool{"w/": true, "x/": true, "r/": false} {
		tokens = append(tokens, access.Token{Secret: "s", Prefix: prefix, Write: write})
	}
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("", "s")
	grant, _ := access.NewTokens(tokens, false).Grant(r)
	for _, tt := range []struct {
		path, body string
		allowed    bool
	}{
		{"prefix", body("rename", "w/", "x/"), true},
		{"prefix", body("rename", "r/", "x/"), false},
		{"prefix", body("rename", "w/", "r/"), false},
		{"prefix", body("rename", "w/", "other/"), false},
		{"prefix", body("rename", "w", "x/"), false},
		{"prefix", body("copy", "r/", "w/"), true},
		{"prefix", body("copy", "w/", "r/"), false},
		{"prefix", body("copy", "other/", "w/"), false},
		{"prefix", body("delete", "w/", ""), true},
		{"prefix", body("delete", "r/", ""), false},
		{"prefix", body("delete", "w", ""), false},
		{"prefix", `{"action":"rename","from":"w/","to":""}`, false},
		{"delete", `{"keys":["w/1"]}`, true},
		{"delete", `{"keys":["w/1","r/1"]}`, false},
		{"delete", `{"keys":["w/1"],"keys_base64":["bw=="]}`, false},
	} {
		v := newVault(t)
		put(t, v, "w/1", "r/2", "other/3")
		before := keysOf(t, v)
		status, text := serve(t, api.New(v), grant).status("POST", tt.path, tt.body)
		want := http.StatusOK
		if !tt.allowed {
			want = http.StatusForbidden
		}
		if status != want {
			t.Errorf("%s: %d %s", tt.body, status, text)
		}
		if got := keysOf(t, v); !tt.allowed && !slices.Equal(got, before) {
			t.Errorf("%s: %q", tt.body, got)
		}
	}
}
