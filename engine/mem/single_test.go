package mem_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/mem"
)

var errPlanned = errors.New("planned")

func TestSingleFaultsOfOps(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  mem.Fault
		want   error
		stored bool
	}{
		{"none", mem.Fault{}, nil, true},
		{"nothing takes effect", mem.Fault{Err: errPlanned}, errPlanned, false},
		{"unknown, and it did not", mem.Fault{Err: engine.ErrUnknown}, engine.ErrUnknown, false},
		{"unknown, and it did", mem.Fault{Err: engine.ErrUnknown, Done: true}, engine.ErrUnknown, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			s := mem.NewSingle(&mem.SingleOptions{Op: func(op engine.Op) mem.Fault {
				if op.Key == "good" {
					return mem.Fault{}
				}
				return tt.fault
			}})
			ops := []engine.Op{{Kind: engine.Put, Key: "a"}, {Kind: engine.Put, Key: "good"}}
			_, err := s.Apply(ctx, ops[:1])
			var oe *engine.OpError
			if !errors.Is(err, tt.want) || tt.want != nil && (!errors.As(err, &oe) || oe.Key != "a") {
				t.Errorf("Apply: %v, want %v", err, tt.want)
			}
			ops[0].Key = "b"
			results, errs := s.ApplyEach(ctx, ops)
			if len(results) != 2 || len(errs) != 2 || errs[0] != tt.want || errs[1] != nil {
				t.Fatalf("ApplyEach: %v, %v; want %v for the first", results, errs, tt.want)
			}
			for _, key := range []string{"a", "b"} {
				if _, err := s.Stat(ctx, key); (err == nil) != tt.stored {
					t.Errorf("Stat(%q): %v, want it stored: %v", key, err, tt.stored)
				}
			}
		})
	}
}

func TestSingleFaultsOfListings(t *testing.T) {
	fail := true
	s := mem.NewSingle(&mem.SingleOptions{List: func(engine.Query) error {
		if fail {
			return errPlanned
		}
		return nil
	}})
	_, err := s.List(t.Context(), engine.Query{Limit: 1})
	_, cerr := s.Count(t.Context(), engine.Range{})
	if err != errPlanned || cerr != errPlanned {
		t.Errorf("List: %v, Count: %v", err, cerr)
	}
	fail = false
	_, err = s.List(t.Context(), engine.Query{Limit: 1})
	_, cerr = s.Count(t.Context(), engine.Range{})
	if err != nil || cerr != nil {
		t.Errorf("List: %v, Count: %v", err, cerr)
	}
}

func create(t *testing.T, s engine.ArrayBeginner, name, id string) error {
	t.Helper()
	x, err := s.BeginArrays(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	a := engine.Array{Name: name, Type: "i64", ElemSize: 8, MinChunk: 16, MaxChunk: 64}
	if _, err := x.CreateArray(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return x.Commit(t.Context(), id)
}

func arrays(t *testing.T, s engine.ArrayBeginner) int {
	t.Helper()
	x, err := s.BeginArrays(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Rollback()
	list, err := x.Arrays(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSingleFaultsOfCommits(t *testing.T) {
	for _, tt := range []struct {
		fault mem.Fault
		made  int
	}{
		{mem.Fault{Err: engine.ErrConflict}, 0},
		{mem.Fault{Err: engine.ErrUnknown}, 0},
		{mem.Fault{Err: engine.ErrUnknown, Done: true}, 1},
	} {
		var ids []string
		var fault mem.Fault
		s := mem.NewSingle(&mem.SingleOptions{Commit: func(id string) mem.Fault {
			ids = append(ids, id)
			return fault
		}})
		fault = tt.fault
		if err := create(t, s, "a", "one"); err != tt.fault.Err {
			t.Errorf("Commit: %v, want %v", err, tt.fault.Err)
		}
		if n := arrays(t, s); n != tt.made {
			t.Errorf("%+v: %d arrays, want %d", tt.fault, n, tt.made)
		}
		fault = mem.Fault{}
		if err := create(t, s, []string{"a", "b"}[tt.made], "one"); err != nil {
			t.Errorf("the same commit again: %v", err)
		}
		if n := arrays(t, s); n != 1 {
			t.Errorf("%+v: %d arrays after the same commit, want 1", tt.fault, n)
		}
		if len(ids) != 2 || ids[0] != "one" || ids[1] != "one" {
			t.Errorf("the function was asked about %q", ids)
		}
	}
}

func TestSingleForgetsCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.NewSingle(nil)
		if err := create(t, s, "a", "one"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute - time.Second)
		if err := create(t, s, "b", "one"); err != nil || arrays(t, s) != 1 {
			t.Errorf("within ten minutes: %v, %d arrays; want 1", err, arrays(t, s))
		}
		time.Sleep(time.Second)
		if err := create(t, s, "b", "one"); err != nil || arrays(t, s) != 2 {
			t.Errorf("after ten minutes: %v, %d arrays; want 2", err, arrays(t, s))
		}
	})
}

func TestSingleWithholdsWhatItWouldHaveToAsk(t *testing.T) {
	s, ctx := mem.NewSingle(nil), t.Context()
	for range 2 {
		results, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("v")}})
		if err != nil || results[0].Found || results[0].Entry.Meta.Tag == "" {
			t.Errorf("Put: %+v, %v; want Found false, and an entry", results, err)
		}
	}
	page, err := s.List(ctx, engine.Query{Limit: 1, Sizes: true})
	if err != nil || len(page.Items) != 1 || page.Items[0].Size != 1 || page.Items[0].Meta.Tag != "" {
		t.Errorf("List of sizes: %+v, %v; want no metadata", page, err)
	}
}

func TestSingleConformance(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      *mem.SingleOptions
		except []enginetest.Exception
	}{
		{"Plain", nil, nil},
		{
			"Narrow", &mem.SingleOptions{MaxKey: 1000, ForgetVersions: true},
			[]enginetest.Exception{enginetest.ShortKeys},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enginetest.Run(t, func(*testing.T) engine.Store { return mem.NewSingle(tt.o) }, tt.except...)
		})
	}
}

func TestSingleForgetsVersions(t *testing.T) {
	ctx := t.Context()
	put := engine.Op{Kind: engine.Put, Key: "k", Value: []byte("value")}
	for _, change := range []engine.Op{
		put,
		{Kind: engine.Delete, Key: "k"},
		{Kind: engine.Rename, Key: "k", To: "l"},
		{Kind: engine.SetMeta, Key: "k"},
	} {
		s := mem.NewSingle(&mem.SingleOptions{ForgetVersions: true})
		if _, err := s.Apply(ctx, []engine.Op{put}); err != nil {
			t.Fatal(err)
		}
		b, err := s.Open(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 5)
		if n, err := b.ReadAt(ctx, p, 0); n != 5 || err != nil {
			t.Errorf("ReadAt before: %d, %v", n, err)
		}
		if _, err := s.Apply(ctx, []engine.Op{change}); err != nil {
			t.Fatal(err)
		}
		if n, err := b.ReadAt(ctx, p, 0); n != 0 || !errors.Is(err, engine.ErrTagMismatch) {
			t.Errorf("ReadAt after op %d: %d, %v; want %v", change.Kind, n, err, engine.ErrTagMismatch)
		}
	}
}
