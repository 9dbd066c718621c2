package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
	"github.com/kohakuvault/kvault/engine/s3/internal/s3test"
)

// TestOpenErrors has addresses that no vault can have.
func TestOpenErrors(t *testing.T) {
	for _, address := range []string{"", "/a/file", "s3://", "s3://bucket/=a", "s3://bucket/a/.d?endpoint=http://localhost"} {
		if s, err := s3.Open(t.Context(), address, nil); err == nil {
			t.Errorf("%q was opened", address)
			_ = s.Close()
		}
	}
}

// TestReadOnly: credentials that may read alone open a vault, columns included, and read it.
func TestReadOnly(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	server := s3test.New(t)
	address := fmt.Sprintf("s3://%s/v?endpoint=%s", s3test.Bucket, server.URL)
	value := bytes.Repeat([]byte("value "), 1<<20)
	s, err := s3.Open(t.Context(), address, &s3.Options{PartSize: 5 << 20})
	if err != nil {
		t.Fatal(err)
	}
	do(t, s, engine.Op{Kind: engine.Put, Key: "long", Value: value})
	do(t, s, engine.Op{Kind: engine.Put, Key: "medium", Value: value[:300<<10]})
	do(t, s, engine.Op{Kind: engine.Put, Key: "deleted", Value: value[:10]})
	do(t, s, engine.Op{Kind: engine.Delete, Key: "deleted"})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	server.SetFault(func(r *http.Request) s3test.Fault {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return s3test.Fault{}
		}
		return s3test.Fault{Answer: func(w http.ResponseWriter, _ *http.Request) { s3test.Error(w, http.StatusForbidden, "AccessDenied") }}
	})
	if s, err := s3.Open(t.Context(), address, nil); err == nil {
		t.Error("a bucket that refuses writes was opened for writing")
		_ = s.Close()
	}
	s, err = s3.Open(t.Context(), address, &s3.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for key, want := range map[string][]byte{"long": value, "medium": value[:300<<10]} {
		got, err := s.Get(t.Context(), key)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Get(%s): %d bytes, %v", key, len(got), err)
		}
		b, err := s.Open(t.Context(), key)
		if err != nil {
			t.Error(err)
			continue
		}
		part := make([]byte, 100)
		if _, err := b.ReadAt(t.Context(), part, 1000); err != nil || !bytes.Equal(part, want[1000:1100]) {
			t.Errorf("ReadAt(%s): %v", key, err)
		}
		_ = b.Close()
	}
	page, err := s.List(t.Context(), engine.Query{Limit: 10})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("List: %+v, %v", page, err)
	}
	tx, err := s.BeginArrays(t.Context(), false)
	if err != nil {
		t.Error("columns:", err)
	} else {
		_ = tx.Rollback()
	}
	_, putErr := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k"}})
	_, stageErr := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1, Size: -1})
	_, txErr := s.BeginArrays(t.Context(), true)
	for _, err := range []error{putErr, stageErr, txErr, s.Optimize(t.Context(), nil)} {
		if !errors.Is(err, engine.ErrReadOnly) {
			t.Errorf("%v, want %v", err, engine.ErrReadOnly)
		}
	}
	stats, err := s.Stats(t.Context())
	if _, told := stats.Detail["deletes if the ETag matches"]; told || err != nil {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
}

// TestClosedMeanwhile: what fails because the store is closed during the call says so.
func TestClosedMeanwhile(t *testing.T) {
	for name, call := range map[string]func(*s3.Store) error{
		"Tag":   func(s *s3.Store) error { _, err := s.Tag(t.Context(), "k"); return err },
		"Stat":  func(s *s3.Store) error { _, err := s.Stat(t.Context(), "k"); return err },
		"Get":   func(s *s3.Store) error { _, err := s.Get(t.Context(), "k"); return err },
		"Open":  func(s *s3.Store) error { _, err := s.Open(t.Context(), "k"); return err },
		"Count": func(s *s3.Store) error { _, err := s.Count(t.Context(), engine.Range{}); return err },
		"List":  func(s *s3.Store) error { _, err := s.List(t.Context(), engine.Query{Limit: 1}); return err },
		"AppendKeys": func(s *s3.Store) error {
			_, _, err := s.AppendKeys(t.Context(), nil, engine.Query{Limit: 1})
			return err
		},
		"Check": func(s *s3.Store) error { return s.Check(t.Context(), func(engine.Problem) {}, nil) },
		"Stats": func(s *s3.Store) error { _, err := s.Stats(t.Context()); return err },
		"Apply": func(s *s3.Store) error {
			_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: "k"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := memory.New()
			s := s3.NewTinyStore(b, "v/", 1000)
			do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("v")})
			b.Fault = func(string, string) memory.Fault {
				_ = s.Close()
				return memory.Before
			}
			if err := call(s); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		})
	}
}
