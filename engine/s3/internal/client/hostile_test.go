package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/client"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/s3test"
)

func answer(status int, contentType, body string) s3test.Fault {
	return s3test.Fault{Answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}}
}

// once has the first request of a method go wrong.
func once(method string, f s3test.Fault) func(*http.Request) s3test.Fault {
	var done atomic.Bool
	return func(r *http.Request) s3test.Fault {
		if r.Method == method && done.CompareAndSwap(false, true) {
			return f
		}
		return s3test.Fault{}
	}
}

func always(f s3test.Fault) func(*http.Request) s3test.Fault {
	return func(*http.Request) s3test.Fault { return f }
}

// What a conditional put answers after its first attempt went wrong.
func TestPutAmbiguity(t *testing.T) {
	ifAbsent := object.PutOptions{IfAbsent: true}
	for _, test := range []struct {
		name  string
		fault s3test.Fault
		o     object.PutOptions
		want  error
	}{
		{"dropped before", s3test.Fault{DropBefore: true}, ifAbsent, nil},
		{"dropped after", s3test.Fault{DropAfter: true}, ifAbsent, object.ErrUnknown},
		{"dropped after, without a condition", s3test.Fault{DropAfter: true}, object.PutOptions{}, nil},
		{"stalled", s3test.Fault{Stall: make(chan struct{})}, ifAbsent, object.ErrUnknown},
		{"500", answer(500, "application/xml", "<Error><Code>InternalError</Code></Error>"), ifAbsent, nil},
		{"503 in HTML", answer(503, "text/html", "<html>"), ifAbsent, nil},
		{"409", answer(409, "application/xml", "<Error><Code>ConditionalRequestConflict</Code></Error>"), ifAbsent, nil},
		{"without an ETag", answer(200, "text/html", "<html>welcome</html>"), ifAbsent, object.ErrUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s3test.New(t)
			c := settings(s)
			if test.fault.Stall != nil {
				c.AnswerTimeout = 300 * time.Millisecond
			}
			b := open(t, c)
			s.SetFault(once(http.MethodPut, test.fault))
			if _, err := b.Put(t.Context(), "k", []byte("x"), test.o); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// What a server answers in place of what it should, and what the methods make of it.
func TestHostileAnswers(t *testing.T) {
	list := func(b *client.Bucket) error {
		_, err := b.List(context.Background(), object.Query{Limit: 10})
		return err
	}
	head := func(b *client.Bucket) error { _, err := b.Head(context.Background(), "k"); return err }
	get := func(b *client.Bucket) error {
		_, r, err := b.Get(context.Background(), "k", object.Range{Length: -1})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			_ = r.Close()
		}
		return err
	}
	uploads := func(b *client.Bucket) error { _, err := b.Unfinished(context.Background(), ""); return err }
	environment(t)
	endless := "<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated>"
	for _, test := range []struct {
		name  string
		fault s3test.Fault
		do    func(*client.Bucket) error
		want  string
	}{
		{"HTML for a listing", answer(200, "text/html", "<html><body>hello</body></html>"), list, "no listing"},
		{"nothing for a listing", answer(200, "application/xml", ""), list, "no listing"},
		{"HTML for a listing of uploads", answer(200, "text/html", "<html></html>"), uploads, "no listing of uploads"},
		{"a listing that goes on with nothing", answer(200, "application/xml", endless+"</ListBucketResult>"), list, "more to come"},
		{"a listing that never ends", answer(200, "application/xml", endless+strings.Repeat("<Contents><Key>k</Key></Contents>", 1<<19)), list, "too long"},
		{"a listing that is cut", s3test.Fault{Truncate: 20}, list, "gave up after"},
		{"404 in HTML", answer(404, "text/html", "<html>no such page</html>"), get, "HTML in place of XML"},
		{"404 of a missing page", answer(404, "text/html", ""), head, "HTML in place of XML"},
		{"404 in text", answer(404, "text/plain", "404 page not found"), get, "no server of S3"},
		{"a redirect", s3test.Fault{Answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
		}}, head, "redirects"},
		{"a huge error", answer(400, "application/xml", "<Error>"+strings.Repeat("x", 1<<20)), get, "too long"},
		{"forbidden", answer(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>"), get, "credentials"},
		{"a wrong clock", answer(403, "application/xml", "<Error><Code>RequestTimeTooSkewed</Code></Error>"), get, "clock"},
		{"an object without an ETag", answer(200, "text/plain", "body"), get, "no ETag"},
		{"an object cut again and again", s3test.Fault{Answer: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusOK)
		}}, get, "gave up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s3test.New(t)
			c := settings(s)
			c.Patience = time.Second
			b := open(t, c)
			s.SetFault(always(test.fault))
			err := test.do(b)
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, object.ErrNotFound) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error has the secret")
			}
		})
	}
}

// A reply to Complete that is lost is not waited for: the object is there.
func TestCompleteWithoutAnswer(t *testing.T) {
	s := s3test.New(t)
	b := open(t, settings(s))
	m, err := b.Begin(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Part(t.Context(), 1, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	inProgress := answer(500, "application/xml", "<Error><Code>InternalError</Code></Error>")
	var posts atomic.Int32
	s.SetFault(func(r *http.Request) s3test.Fault {
		if r.Method != http.MethodPost {
			return s3test.Fault{}
		}
		if posts.Add(1) == 1 {
			return s3test.Fault{DropAfter: true}
		}
		return inProgress
	})
	etag, err := m.Complete(t.Context())
	if i, headErr := b.Head(t.Context(), "k"); err != nil || headErr != nil || i.ETag != etag || posts.Load() != 1 {
		t.Errorf("%q, %v; %+v, %v; %d requests", etag, err, i, headErr, posts.Load())
	}
}

// A body whose connection breaks goes on where it was, of the same version alone.
func TestGetGoesOn(t *testing.T) {
	s := s3test.New(t)
	b := open(t, settings(s))
	body := []byte(strings.Repeat("0123456789", 10_000))
	if _, err := b.Put(t.Context(), "k", body, object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	s.SetFault(func(*http.Request) s3test.Fault { requests.Add(1); return s3test.Fault{Truncate: 30_000} })
	_, r, err := b.Get(t.Context(), "k", object.Range{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != string(body) || requests.Load() != 4 {
		t.Errorf("%d bytes in %d requests, %v", len(got), requests.Load(), err)
	}
	_, r, err = b.Get(t.Context(), "k", object.Range{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "k", []byte("other"), object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, object.ErrPrecondition) {
		t.Errorf("a version that is gone: %v", err)
	}
}

func TestOpenRefusesWhatIgnoresConditions(t *testing.T) {
	environment(t)
	s := s3test.New(t)
	s.SetFault(always(s3test.Fault{NoConditions: true}))
	if _, err := client.Open(t.Context(), settings(s)); !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("%v, want %v", err, engine.ErrUnsupported)
	}
}

// A caller who gives up does not wait for a server that is silent.
func TestCancelEndsAtOnce(t *testing.T) {
	s := s3test.New(t)
	c := settings(s)
	c.AnswerTimeout, c.Patience = time.Minute, time.Hour
	b := open(t, c)
	s.SetFault(always(s3test.Fault{Stall: make(chan struct{})}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Put(ctx, "k", nil, object.PutOptions{IfAbsent: true})
	if !errors.Is(err, object.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestParseErrors(t *testing.T) {
	for address, want := range map[string]string{
		"http://bucket":        "not like s3://",
		"s3://":                "no bucket",
		"s3://key:hush@bucket": "user or password",
		"s3://bucket?endpoint=https://key:hush@h":  "user or password",
		"s3://bucket?hush=1&endpoint=https://h":    "unknown parameter",
		"s3://bucket?region=a&region=b":            "twice",
		"s3://BUCKET/x":                            "no name of a bucket",
		"s3://ab":                                  "no name of a bucket",
		"s3://bucket/a#b":                          "#",
		"s3://bucket?endpoint=h:1":                 "endpoint number 1",
		"s3://bucket?endpoint=https://a,http://b":  "choose one",
		"s3://bucket?endpoint=https://a/path":      "behind the host",
		"s3://bucket?endpoint=https://a?x=%zzhush": "what follows",
		"s3://bucket/%zzhush":                      "not like s3://",
	} {
		_, err := client.Parse(address)
		if !errors.Is(err, engine.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
		if strings.Contains(fmt.Sprint(err), ":hush") || strings.Contains(fmt.Sprint(err), "zzhush") {
			t.Errorf("%q: %v shows a secret", address, err)
		}
	}
	c, err := client.Parse("s3://bucket/a/b/?endpoint=https://x:1,https://y&region=r&profile=p")
	if err != nil || c.Prefix != "a/b/" || len(c.Endpoints) != 2 || c.Region != "r" || c.Profile != "p" {
		t.Errorf("%+v, %v", c, err)
	}
}
