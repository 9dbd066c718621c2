package dav_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// slowPut has another client do something in the middle of a PUT, and returns its status.
func (s *server) slowPut(path string, meanwhile func(), headers ...header) int {
	s.t.Helper()
	begun := make(chan struct{})
	s.watch = func(r *http.Request) {
		if r.Method == "PUT" {
			r.Body = &signalBody{ReadCloser: r.Body, begun: begun}
		}
	}
	body, pipe := io.Pipe()
	status := make(chan int)
	go func() {
		r, _ := http.NewRequestWithContext(s.t.Context(), "PUT", s.URL+path, body)
		for _, h := range headers {
			r.Header.Set(h.name, h.value)
		}
		a, err := s.Client().Do(r)
		if err != nil {
			status <- 0
			return
		}
		a.Body.Close()
		status <- a.StatusCode
	}()
	if _, err := pipe.Write([]byte("slow")); err != nil {
		s.t.Fatal(err)
	}
	<-begun
	s.watch = nil
	meanwhile()
	pipe.Close()
	return <-status
}

// TestChangeMeanwhile changes a file while a PUT of another client is on its way.
func TestChangeMeanwhile(t *testing.T) {
	newest := func(s *server) string {
		e, err := s.v.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return `["` + e.Tag + `"]`
	}
	replace := func(s *server) { s.want(204, "PUT", "/dav/a", "new") }
	create := func(s *server) { s.want(201, "PUT", "/dav/b", "new") }
	patch := func(s *server) { s.want(207, "PROPPATCH", "/dav/a", patchBody) }
	none := func(*server) {}
	for _, c := range []struct {
		name   string
		path   string
		before func(*server)
		ifs    func(*server) string
		during func(*server)
		status int
		want   keys
	}{
		{"tag", "/dav/a", none, func(s *server) string { return "(" + newest(s) + ")" }, replace,
			412, keys{"a=new"}},
		{"tag that stays", "/dav/a", none, func(s *server) string { return "(" + newest(s) + ")" },
			none, 204, keys{"a=slow"}},
		{"not tag", "/dav/a", none, func(*server) string { return `(Not ["x"])` }, replace,
			412, keys{"a=new"}},
		{"absent", "/dav/b", none, func(*server) string { return `(Not ["x"])` }, create,
			412, keys{"a", "b=new"}},
		{"no condition", "/dav/a", none, nil, replace, 204, keys{"a=slow"}},
		{"properties", "/dav/a", patch, nil, func(s *server) {
			s.want(207, "PROPPATCH", "/dav/a", strings.ReplaceAll(patchBody, ">1<", ">2<"))
		}, 412, keys{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, openMemory(t), "a")
			c.before(s)
			var more headers
			if c.ifs != nil {
				more = headers{{"If", c.ifs(s)}}
			}
			if got := s.slowPut(c.path, func() { c.during(s) }, more...); got != c.status {
				t.Errorf("the PUT is %d, want %d", got, c.status)
			}
			s.wantKeys(c.want...)
			if c.name == "properties" {
				if got := s.propfind("/dav/a", "0", "")["/dav/a"]["up"]; got != "2" {
					t.Errorf("the property is %q", got)
				}
			}
		})
	}
}

// TestConditions has other methods than PUT heed the conditions of RFC 9110.
func TestConditions(t *testing.T) {
	var changes []change
	for _, h := range []header{
		{"If-None-Match", "*"}, {"If-None-Match", `"x", W/"TAG"`}, {"If-Match", `"x"`},
		{"If-Match", `W/"TAG"`}, {"If-Unmodified-Since", "Sat, 03 Feb 2001 04:05:06 GMT"},
	} {
		for _, method := range []string{"DELETE", "COPY", "MOVE", "PROPPATCH"} {
			changes = append(changes, change{method: method, status: 412, headers: headers{h}})
		}
	}
	for _, c := range append(changes,
		change{method: "DELETE", status: 400, headers: headers{{"If-Match", "x"}}},
		change{method: "DELETE", status: 204, headers: headers{{"If-None-Match", `"x"`}}},
		change{method: "DELETE", status: 204, headers: headers{{"If-Match", `"x", "TAG"`}}},
		change{method: "PUT", status: 412, headers: headers{{"If-Match", `"x"`}, {"If", `(Not ["x"])`}}},
		change{method: "PUT", status: 204, headers: headers{{"If-Match", `"TAG"`},
			{"If", `(Not ["x"])`}}},
		change{method: "MKCOL", path: "/dav/d", status: 412, headers: headers{{"If-Match", "*"}}},
		change{method: "MKCOL", path: "/dav/d", status: 201, headers: headers{{"If-None-Match", "*"}}},
	) {
		s := newServer(t, openMemory(t), "a")
		e, err := s.v.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if c.path == "" {
			c.path = "/dav/a"
		}
		if c.method == "PROPPATCH" {
			c.body = patchBody
		}
		c.headers[0].value = strings.ReplaceAll(c.headers[0].value, "TAG", e.Tag)
		s.want(c.status, c.method, c.path, c.body, append(c.headers, to("/dav/b"))...)
		if c.status >= 400 {
			s.wantKeys("a")
			if now, err := s.v.Stat(t.Context(), "a"); err != nil || now.Tag != e.Tag {
				t.Errorf("%s %v has changed it, %v", c.method, c.headers, err)
			}
		}
	}
}

// TestManyProperties has a file with more of them than an answer has.
func TestManyProperties(t *testing.T) {
	s := newServer(t, openMemory(t))
	user := map[string]string{"{u}zz": "last"}
	for i := range 2000 {
		user["{u}p"+string(rune('a'+i%26))+strings.Repeat("x", i/26)] = "1"
	}
	_, err := s.v.PutWith(t.Context(), "a", nil, &kvault.PutOptions{User: user})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", `<propfind xmlns="DAV:"><propname/></propfind>`} {
		got := s.propfind("/dav/a", "0", body)["/dav/a"]
		if len(got) < 500 || len(got) > 520 {
			t.Errorf("there are %d properties", len(got))
		}
	}
	text := s.want(207, "PROPFIND", "/dav/a", `<propfind xmlns="DAV:"><prop>`+
		strings.Repeat(`<zz xmlns="u"/><none/>`, 100)+`</prop></propfind>`, header{"Depth", "0"})
	if strings.Count(text, ">last<") != 1 || strings.Count(text, "<D:none>") != 1 {
		t.Errorf("the answer is %s", text)
	}
}
