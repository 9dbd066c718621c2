package resume

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

// draft is how a version of the IETF draft says whether a request brings the last byte.
type draft struct {
	version         string
	name, yes, no   string
	partContentType string
}

var drafts = []draft{
	{"3", "Upload-Incomplete", "?0", "?1", ""},
	{"4", "Upload-Complete", "?1", "?0", ""},
	{"5", "Upload-Complete", "?1", "?0", ""},
	{"6", "Upload-Complete", "?1", "?0", "application/partial-upload"},
}

// request are the headers of a request with bytes.
func (d draft) request(last bool, h headers) headers {
	all := headers{"Upload-Draft-Interop-Version": d.version, d.name: d.no}
	if last {
		all[d.name] = d.yes
	}
	maps.Copy(all, h)
	return all
}

// part are the headers of a PATCH.
func (d draft) part(last bool, off int) headers {
	return d.request(last, headers{"Upload-Offset": fmt.Sprint(off), "Content-Type": d.partContentType})
}

func eachDraft(t *testing.T, fn func(t *testing.T, s *server, d draft)) {
	for _, d := range drafts {
		t.Run("draft "+d.version, func(t *testing.T) { fn(t, serve(t, Options{MaxSize: 3 << 20}, everything), d) })
	}
}

// A request with the whole value is told where to resume before it ends, and stores the value.
func TestDraftWhole(t *testing.T) {
	eachDraft(t, func(t *testing.T, s *server, d draft) {
		value, early := noise(2_000_000), ""
		trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			if status == 104 {
				early = h.Get("Location")
			}
			return nil
		}}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", s.URL+Mount+"photos/cat%20", bytes.NewReader(value))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range d.request(true, headers{"Content-Type": "image/jpeg; q=1"}) {
			r.Header.Set(name, v)
		}
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		a := answer{res.StatusCode, res.Header, string(body)}.want(t, 201, headers{"Location": early, "Upload-Offset": "2000000", "ETag": "*", "Tus-Resumable": "", "Upload-Expires": ""})
		if !strings.HasPrefix(early, Mount) {
			t.Errorf("the 104 had Location %q, the answer %q", early, a.header.Get("Location"))
		}
		if e := s.holds(t, "photos/cat ", value); e.ContentType != "image/jpeg" || len(e.User) > 0 {
			t.Errorf("the value is %+v", e)
		}
	})
}

// Parts of a value whose length nobody knows; the last one says that it is.
func TestDraftParts(t *testing.T) {
	eachDraft(t, func(t *testing.T, s *server, d draft) {
		disposition := mime.FormatMediaType("attachment", map[string]string{"filename": "ä/b"})
		path := s.do(t, "POST", Mount, d.request(false, headers{"Content-Disposition": disposition}), plain{strings.NewReader("abc")}).
			want(t, 201, headers{"Upload-Offset": "3", "ETag": ""}).header.Get("Location")
		s.do(t, "HEAD", path, headers{"Upload-Draft-Interop-Version": d.version}, nil).
			want(t, 204, headers{"Upload-Offset": "3", d.name: d.no, "Upload-Limit": "*", "Cache-Control": "no-store"})
		s.do(t, "PATCH", path, d.part(false, 3), plain{strings.NewReader("de")}).want(t, 204, headers{"Upload-Offset": "5"})
		s.do(t, "PATCH", path, d.part(true, 4), strings.NewReader("f")).want(t, 409, nil)
		s.do(t, "PATCH", path, d.part(true, 5), plain{strings.NewReader("f")}).want(t, 204, headers{"Upload-Offset": "6", "ETag": "*"})
		s.holds(t, "ä/b", []byte("abcdef"))

		path = s.do(t, "POST", Mount+"k", d.request(false, nil), nil).want(t, 201, nil).header.Get("Location")
		s.do(t, "DELETE", path, headers{"Upload-Draft-Interop-Version": d.version}, nil).want(t, 204, nil)
		s.do(t, "DELETE", path, headers{"Upload-Draft-Interop-Version": d.version}, nil).want(t, 404, nil)
	})
}

// What does not fit the draft, or the server, stores nothing.
func TestDraftRefused(t *testing.T) {
	eachDraft(t, func(t *testing.T, s *server, d draft) {
		long := bytes.Repeat([]byte("x"), 3<<20+1)
		if err := s.v.Put(t.Context(), "old", nil); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			path   string
			h      headers
			body   io.Reader
			status int
		}{
			"no key":                      {"", nil, nil, 400},
			"bad content type":            {"k", headers{"Content-Type": "a b c"}, nil, 400},
			"bad disposition":             {"k", headers{"Content-Disposition": ";"}, nil, 400},
			"bad length":                  {"k", headers{"Upload-Length": "x"}, nil, 400},
			"negative length":             {"k", headers{"Upload-Length": "-7"}, plain{strings.NewReader("abc")}, 400},
			"two lengths":                 {"k", headers{"Upload-Length": "7"}, strings.NewReader("abc"), 400},
			"length above limit":          {"k", nil, bytes.NewReader(long), 413},
			"declared length above limit": {"k", headers{"Upload-Length": "4000000"}, plain{strings.NewReader("abc")}, 413},
			"bytes above limit":           {"k", nil, plain{bytes.NewReader(long)}, 413},
			"condition":                   {"old", headers{"If-None-Match": "*"}, strings.NewReader("abc"), 412},
		} {
			t.Run(name, func(t *testing.T) {
				a := s.do(t, "POST", Mount+c.path, d.request(true, c.h), c.body).want(t, c.status, headers{"ETag": ""})
				if !strings.HasPrefix(a.body, `{"error":`) || strings.Contains(a.body, "mime") {
					t.Errorf("the answer is %s", a.body)
				}
			})
		}
		if n, err := s.v.Len(t.Context()); n != 1 || err != nil {
			t.Errorf("there are %d keys, %v", n, err)
		}
		if d.partContentType != "" {
			path := s.do(t, "POST", Mount+"k", d.request(false, nil), nil).want(t, 201, nil).header.Get("Location")
			s.do(t, "PATCH", path, d.request(true, headers{"Upload-Offset": "0"}), strings.NewReader("abc")).want(t, 415, nil)
		}
	})
}
