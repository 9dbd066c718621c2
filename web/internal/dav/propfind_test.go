package dav_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// response is a part of a multistatus.
type response struct {
	Href     string `xml:"DAV: href"`
	Propstat []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			Props []struct {
				XMLName xml.Name
				Inner   string `xml:",innerxml"`
			} `xml:",any"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// found returns the properties of the response by name, without the namespace DAV:.
func (r response) found() map[string]string {
	props := map[string]string{}
	for _, s := range r.Propstat {
		for _, p := range s.Prop.Props {
			name := strings.TrimPrefix(p.XMLName.Space+p.XMLName.Local, "DAV:")
			if !strings.Contains(s.Status, "200") {
				name += " missing"
			}
			props[name] = p.Inner
		}
	}
	return props
}

// propfind returns the properties by path. Every path must be one that a client can use again.
func (s *server) propfind(path, depth, body string) map[string]map[string]string {
	s.t.Helper()
	a, text := s.do("PROPFIND", path, body, header{"Depth", depth})
	if a.StatusCode != 207 {
		s.t.Fatalf("PROPFIND %s is %d: %s", path, a.StatusCode, text)
	}
	var m struct {
		Responses []response `xml:"DAV: response"`
	}
	if err := xml.Unmarshal([]byte(text), &m); err != nil {
		s.t.Fatalf("%v in\n%s", err, text)
	}
	found := map[string]map[string]string{}
	for _, r := range m.Responses {
		if _, err := url.ParseRequestURI(r.Href); err != nil {
			s.t.Error(err)
		}
		if found[r.Href] != nil {
			s.t.Errorf("%s is there twice", r.Href)
		}
		found[r.Href] = r.found()
	}
	return found
}

// wantPaths compares what a folder has.
func (s *server) wantPaths(path string, want ...string) {
	s.t.Helper()
	got := slices.Sorted(maps.Keys(s.propfind(path, "1", "")))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s has %q, want %q", path, got, want)
	}
}

func TestListing(t *testing.T) {
	s := newServer(t, openMemory(t), "a b", "<&>\"'", "d", "d-", "d/", "d/x", "d/e/f", "ü", "e/",
		"//x", "/y", "d//z", "../t", ".", "d/..", "n\x00", "\xff", "new\nline", "_/.._")
	s.wantPaths("/dav/", "/dav/", "/dav/a%20b", "/dav/%3C%26%3E%22%27", "/dav/d/", "/dav/d-",
		"/dav/e/", "/dav/%C3%BC", "/dav/new%0Aline", "/dav/_/")
	s.wantPaths("/dav", slices.Collect(maps.Keys(s.propfind("/dav/", "1", "")))...)
	s.wantPaths("/dav/d", "/dav/d/", "/dav/d/x", "/dav/d/e/")
	s.wantPaths("/dav/e/", "/dav/e/")
	s.wantPaths("/dav/a%20b", "/dav/a%20b")
	if n, err := s.v.Len(t.Context()); n != 19 || err != nil {
		t.Errorf("a listing left %d keys, %v", n, err)
	}
	s.want(405, "GET", "/dav/d", "") // hides a key
	s.want(405, "HEAD", "/dav/d/", "")
	s.want(405, "GET", "/dav/", "")
	s.want(404, "GET", "/dav/none", "")
	s.want(404, "PROPFIND", "/dav/none", "", header{"Depth", "1"})
	s.want(404, "PROPFIND", "/davos", "", header{"Depth", "1"})
	s.want(404, "PROPFIND", "/dav/d//z", "", header{"Depth", "1"})
	if got := s.want(200, "GET", "/dav/d/x", ""); got != "d/x" {
		t.Errorf("got %q", got)
	}
	if got := s.want(206, "GET", "/dav/d/x", "", header{"Range", "bytes=1-1"}); got != "/" {
		t.Errorf("got %q", got)
	}
}

func TestLargeListing(t *testing.T) {
	v := openMemory(t)
	want := []string{"/dav/d/"}
	err := transact.Update(t.Context(), v, func(in transact.Store) error {
		for i := range 1234 {
			key := fmt.Sprintf("d/%d", i)
			want = append(want, "/dav/"+key)
			if _, err := in.PutWith(t.Context(), key, nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	newServer(t, v).wantPaths("/dav/d", want...)
}

// TestListingBreaksOff has the vault fail in the middle of a listing.
func TestListingBreaksOff(t *testing.T) {
	v := openMemory(t)
	long := strings.Repeat("n", 2000)
	err := transact.Update(t.Context(), v, func(in transact.Store) error {
		for i := range 5000 { // more than the buffers of a connection take
			if _, err := in.PutWith(t.Context(), fmt.Sprint(long, i), nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, v)
	r, err := http.NewRequestWithContext(t.Context(), "PROPFIND", s.URL+"/dav/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Depth", "1")
	a, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, a.Body); err == nil {
		t.Errorf("a listing of %d bytes looks whole", n)
	}
}

func TestProperties(t *testing.T) {
	s := newServer(t, openMemory(t), "d/e/f")
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	e, err := s.v.PutWith(t.Context(), "d/a&b.txt", []byte("value"), &kvault.PutOptions{
		ModTime: at, ContentType: "text/<plain>", User: map[string]string{
			"{urn:x&y}ok": "<b xmlns='urn:z'>1</b>", "{DAV:}getetag": "fake", "lang": "en",
			"{urn:x}broken": "</D:prop>", "{urn:x}a b": "", "{}": "", "{urn:x}": "", "{urn:x}p:q": "",
			"{urn:x}prefix": "<undeclared:a/>", "{}plain": "text",
			"{urn:x}closed": "</x:closed><x:more>",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	all := s.propfind("/dav/d/", "1", "")["/dav/d/a%26b.txt"]
	delete(all, "supportedlock")
	want := map[string]string{
		"resourcetype": "", "displayname": "a&amp;b.txt", "getcontentlength": "5",
		"getcontenttype": "text/&lt;plain&gt;", "getetag": `&#34;` + e.Tag + `&#34;`,
		"getlastmodified": at.Format(http.TimeFormat), "lockdiscovery": "",
		"urn:x&yok": "<b xmlns='urn:z'>1</b>", "plain": "text",
	}
	if !maps.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
	if got := s.propfind("/dav/d", "0", "")["/dav/d/"]; got["resourcetype"] != "<D:collection/>" {
		t.Errorf("the folder has %v", got)
	}
	some := s.propfind("/dav/d/a%26b.txt", "0", `<propfind xmlns="DAV:" xmlns:o="urn:other"><prop>`+
		`<getcontentlength/><o:size/><size xmlns=""/></prop></propfind>`)["/dav/d/a%26b.txt"]
	want = map[string]string{"getcontentlength": "5", "urn:othersize missing": "", "size missing": ""}
	if !maps.Equal(some, want) {
		t.Errorf("got %v, want %v", some, want)
	}
	names := s.propfind("/dav/d/a%26b.txt", "0", `<propfind xmlns="DAV:"><propname/></propfind>`)
	if got, ok := names["/dav/d/a%26b.txt"]["getcontentlength"]; got != "" || !ok {
		t.Errorf("got %v", names)
	}
	none := s.propfind("/dav/d/a%26b.txt", "0", `<propfind xmlns="DAV:"><prop/></propfind>`)
	if got := none["/dav/d/a%26b.txt"]; len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestProppatch(t *testing.T) {
	const set = `<propertyupdate xmlns="DAV:" xmlns:w="urn:schemas-microsoft-com:" xmlns:o="urn:o">`
	const end = `</propertyupdate>`
	s := newServer(t, openMemory(t), "a", "d/x")
	s.want(207, "PROPPATCH", "/dav/a", set+`<set><prop>`+
		`<o:one xml:lang="de"><o:deep>1</o:deep></o:one><o:two>2</o:two>`+
		`<w:Win32LastModifiedTime>Sat, 03 Feb 2001 04:05:06 GMT</w:Win32LastModifiedTime>`+
		`</prop></set><remove><prop><o:two/></prop></remove>`+end)
	got := s.propfind("/dav/a", "0", "")["/dav/a"]
	if !strings.Contains(got["urn:oone"], "deep") || got["urn:otwo"] != "" {
		t.Errorf("got %v", got)
	}
	if got["getlastmodified"] != "Sat, 03 Feb 2001 04:05:06 GMT" {
		t.Errorf("the time is %q", got["getlastmodified"])
	}
	s.want(207, "PROPPATCH", "/dav/a",
		set+`<set><prop><lastmodified>86400</lastmodified></prop></set>`+end)
	if e, err := s.v.Stat(t.Context(), "a"); err != nil || e.ModTime.Unix() != 86400 {
		t.Errorf("the time is %v, %v", e.ModTime, err)
	}
	// The next version keeps the properties.
	s.want(204, "PUT", "/dav/a", "new")
	if got := s.propfind("/dav/a", "0", "")["/dav/a"]; !strings.Contains(got["urn:oone"], "deep") {
		t.Errorf("after a PUT got %v", got)
	}
	e, err := s.v.Stat(t.Context(), "a")
	if err != nil || e.User["{urn:o}one@xml:lang"] != "de" {
		t.Errorf("got %v, %v", e.User, err)
	}
	// A folder gets a key, and keeps its kind.
	text := s.want(207, "PROPPATCH", "/dav/d", set+`<set><prop><o:p>1</o:p></prop></set>`+end)
	if !strings.Contains(text, "/dav/d") || !strings.Contains(text, "200 OK") {
		t.Errorf("the answer is %s", text)
	}
	if got := s.propfind("/dav/", "1", "")["/dav/d/"]; got["urn:op"] != "1" {
		t.Errorf("the folder has %v", got)
	}
	if e, err := s.v.Stat(t.Context(), "d/"); err != nil || e.User["kind"] != "directory" {
		t.Errorf("the key of the folder has %v, %v", e.User, err)
	}
	text = s.want(207, "PROPPATCH", "/dav/a", set+`<set><prop><getetag>x</getetag></prop></set>`+end)
	if !strings.Contains(text, "403 Forbidden") {
		t.Errorf("the answer is %s", text)
	}
	s.want(403, "PROPPATCH", "/dav/", set+`<set><prop><o:p>1</o:p></prop></set>`+end)
	s.want(404, "PROPPATCH", "/dav/none", set+`<set><prop><o:p>1</o:p></prop></set>`+end)
	s.want(400, "PROPPATCH", "/dav/a", set+`<other/>`+end)
	big := strings.Repeat("x", 60<<10)
	for i := range 17 {
		s.want(207, "PROPPATCH", "/dav/a",
			fmt.Sprintf(set+`<set><prop><o:p%[1]d>%[2]s</o:p%[1]d></prop></set>`+end, i, big))
	}
	s.want(507, "PROPPATCH", "/dav/a", set+`<set><prop><o:p>`+big+`</o:p></prop></set>`+end)
}

func TestPropfindRefuses(t *testing.T) {
	s := newServer(t, openMemory(t), "a", "d/x")
	for _, depth := range []string{"infinity", ""} {
		text := s.want(403, "PROPFIND", "/dav/d", "", header{"Depth", depth})
		if !strings.Contains(text, "propfind-finite-depth") {
			t.Errorf("the answer is %s", text)
		}
		s.want(207, "PROPFIND", "/dav/a", "", header{"Depth", depth})
	}
	for _, depth := range []string{"2", "-1", "1, noroot", "0x1", strings.Repeat("9", 1000)} {
		s.want(400, "PROPFIND", "/dav/a", "", header{"Depth", depth})
	}
	const head = `<propfind xmlns="DAV:">`
	for _, body := range []string{
		"x", "<", head, head + "</propfind>", "<propfind/>",
		head + "<allprop/><prop><a/></prop></propfind>",
		`<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]>` + head +
			"<prop><p>&b;</p></prop></propfind>",
		strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000),
		head + "<prop>" + strings.Repeat("<p/>", 1000) + "</prop></propfind>",
		`<p:propfind xmlns:p="DAV:"><p:prop><q:x xmlns:q=""/></p:prop></p:propfind>`,
		head + `<prop><p xmlns="urn:` + strings.Repeat("x", 1000) + `"/></prop></propfind>`,
		head + "<allprop/></propfind><more>", "\x00", `<?xml version="1.0" encoding="latin-9"?>` + head,
	} {
		s.want(400, "PROPFIND", "/dav/a", body, header{"Depth", "0"})
		s.want(400, "PROPPATCH", "/dav/a", body)
		s.want(400, "LOCK", "/dav/a", body)
	}
	huge := head + strings.Repeat("<x/>", 1<<20)
	for _, method := range []string{"PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "MKCOL"} {
		s.want(413, method, "/dav/new", huge, header{"Depth", "0"})
	}
	s.wantKeys("a", "d/x")
}

// grantOf returns what a request with all these tokens may do.
func grantOf(tokens ...access.Token) access.Grant {
	for i := range tokens {
		tokens[i].Secret = "s"
	}
	r, _ := http.NewRequest("GET", "/", nil)
	r.SetBasicAuth("", "s")
	g, _ := access.NewTokens(tokens, false).Grant(r)
	return g
}

func TestGrants(t *testing.T) {
	all := []string{"out", "out/x", "p", "p/a", "p/in", "p/in/x", "p/in/y/z", "p/inner/x"}
	reader, writer := access.Token{Prefix: "p/in/"}, access.Token{Prefix: "p/in/", Write: true}
	tests := []struct {
		token        access.Token
		status       int
		method, path string
		headers      []header
	}{
		{reader, 200, "GET", "/dav/p/in/x", nil},
		{reader, 403, "GET", "/dav/p/a", nil},
		{reader, 403, "GET", "/dav/none", nil},
		{reader, 404, "GET", "/dav/p/in/none", nil},
		{reader, 403, "PROPFIND", "/dav/out", nil},
		{reader, 403, "PROPFIND", "/dav/p/inner", nil},
		{reader, 207, "PROPFIND", "/dav/p/in", nil},
		{reader, 207, "PROPFIND", "/dav/", nil},
		{reader, 403, "PUT", "/dav/p/in/x", nil},
		{reader, 403, "DELETE", "/dav/p/in/x", nil},
		{reader, 403, "DELETE", "/dav/p/in", nil},
		{reader, 403, "MKCOL", "/dav/p/in/new", nil},
		{reader, 403, "LOCK", "/dav/p/in/x", nil},
		{reader, 403, "UNLOCK", "/dav/p/in/x", headers{{"Lock-Token", "<x>"}}},
		{reader, 403, "PROPPATCH", "/dav/p/in/x", nil},
		{reader, 403, "COPY", "/dav/p/in/x", headers{to("/dav/p/in/new")}},
		{reader, 403, "MOVE", "/dav/p/in/y", headers{to("/dav/p/in/new")}},

		{writer, 403, "PUT", "/dav/p/new", nil},
		{writer, 403, "PUT", "/dav/new", nil},
		{writer, 405, "PUT", "/dav/p", nil},
		{writer, 403, "PUT", "/dav/out", nil},
		{writer, 403, "DELETE", "/dav/p", nil},
		{writer, 403, "DELETE", "/dav/out", nil},
		{writer, 403, "DELETE", "/dav/none", nil},
		{writer, 403, "DELETE", "/dav/p/a", nil},
		{writer, 403, "MKCOL", "/dav/p/new", nil},
		{writer, 403, "LOCK", "/dav/", nil},
		{writer, 403, "LOCK", "/dav/p", nil},
		{writer, 403, "PROPPATCH", "/dav/p", nil},
		{writer, 403, "COPY", "/dav/p/in/x", headers{to("/dav/p/new")}},
		{writer, 403, "COPY", "/dav/p/in/y", headers{to("/dav/p/new")}},
		{writer, 403, "COPY", "/dav/p/a", headers{to("/dav/p/in/new")}},
		{writer, 403, "COPY", "/dav/p/inner", headers{to("/dav/p/in/new")}},
		{writer, 403, "MOVE", "/dav/p/a", headers{to("/dav/p/in/new")}},
		{writer, 403, "MOVE", "/dav/p/in/x", headers{to("/dav/out")}},
		{writer, 403, "MOVE", "/dav/p/in", headers{to("/dav/p/out")}},
	}
	for _, c := range tests {
		t.Run(fmt.Sprint(c.token.Write, c.method, c.path, c.headers), func(t *testing.T) {
			s := newServer(t, openMemory(t), all...)
			s.grant = grantOf(c.token)
			body := patchBody
			if c.method == "MKCOL" || c.method == "PROPFIND" {
				body = ""
			}
			if c.method == "PROPFIND" {
				c.headers = headers{{"Depth", "0"}}
			}
			s.want(c.status, c.method, c.path, body, c.headers...)
			s.wantKeys(all...)
		})
	}
	s := newServer(t, openMemory(t), all...)
	s.grant = grantOf(reader, access.Token{Prefix: "p/i"})
	s.wantPaths("/dav/", "/dav/", "/dav/p/")
	s.wantPaths("/dav/p", "/dav/p/", "/dav/p/in/", "/dav/p/inner/")
	s.grant = grantOf(writer)
	s.wantPaths("/dav/p", "/dav/p/", "/dav/p/in/")
	s.want(201, "MOVE", "/dav/p/in/y", "", to("/dav/p/in/w"))
	s.want(204, "DELETE", "/dav/p/in", "")
	s.wantKeys("out", "out/x", "p", "p/a", "p/in", "p/inner/x")
	s.wantPaths("/dav/p/in", "/dav/p/in/") // which it can still fill
	s.want(201, "PUT", "/dav/p/in/x", "p/in/x")
	s.grant = grantOf(access.Token{}, writer) // reads everything
	for _, path := range []string{"/dav/p/a", "/dav/p/inner"} {
		s.want(403, "MOVE", path, "", to("/dav/p/in/new"))
		s.want(403, "DELETE", path, "")
		s.want(201, "COPY", path, "", to("/dav/p/in/new"))
		s.want(403, "COPY", "/dav/p/in/new", "", to(path))
		s.want(204, "DELETE", "/dav/p/in/new", "")
	}
	s.grant = access.Grant{}
	s.want(403, "PROPFIND", "/dav/", "", header{"Depth", "1"})
	a, _ := s.do("OPTIONS", "/dav/anything", "")
	if a.StatusCode != 200 || a.Header.Get("DAV") != "1, 2" || a.Header.Get("MS-Author-Via") != "DAV" {
		t.Errorf("OPTIONS is %d %v", a.StatusCode, a.Header)
	}
}
