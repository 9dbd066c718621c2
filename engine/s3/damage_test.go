package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// TestForeignObjects: what other tools put under a proper name is a value without metadata; under
// another name it is none, and Check tells.
func TestForeignObjects(t *testing.T) {
	b := memory.New()
	s := s3.NewTinyStore(b, "v/", 1000)
	long := bytes.Repeat([]byte("foreign "), 1000)
	for name, body := range map[string][]byte{"v/=docs/=a.txt": []byte("text"), "v/=long": long, "v/=b c": nil, "v/stray": nil, "other/=x": nil} {
		if _, err := b.Put(t.Context(), name, body, object.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	keys, _, err := s.AppendKeys(t.Context(), nil, engine.Query{Limit: 10})
	if fmt.Sprint(keys) != "[docs/a.txt long]" || err != nil {
		t.Errorf("keys %q, %v", keys, err)
	}
	if e, err := s.Stat(t.Context(), "docs/a.txt"); err != nil || e.Size != 4 || e.Meta.Tag != "" || e.Meta.HasSum {
		t.Errorf("Stat: %+v, %v", e, err)
	}
	tag, err := s.Tag(t.Context(), "docs/a.txt")
	if err != nil || len(tag) != 16 {
		t.Errorf("Tag: %q, %v", tag, err)
	}
	do(t, s, engine.Op{Kind: engine.Copy, Key: "long", To: "copy"})
	do(t, s, engine.Op{Kind: engine.SetMeta, Key: "long", Meta: engine.Meta{ContentType: "a/b"}})
	for _, key := range []string{"copy", "long"} {
		e, err := s.Stat(t.Context(), key)
		got, getErr := s.Get(t.Context(), key)
		if err != nil || getErr != nil || !bytes.Equal(got, long) || !e.Meta.HasSum || e.Meta.Tag == "" {
			t.Errorf("%s: %d bytes, %+v, %v, %v", key, len(got), e, err, getErr)
		}
	}
	do(t, s, engine.Op{Kind: engine.Put, Key: "docs/a.txt", Value: []byte("ours"), If: engine.Condition{Tag: tag}})
	if res := do(t, s, engine.Op{Kind: engine.Delete, Key: "docs/a.txt", Take: true}); string(res.Value) != "ours" {
		t.Errorf("taken: %q", res.Value)
	}
	var problems []string
	if err := s.Check(t.Context(), func(p engine.Problem) { problems = append(problems, p.Err.Error()) }, nil); err != nil || len(problems) != 1 || !strings.Contains(problems[0], "v/=b c") {
		t.Errorf("Check: %q, %v", problems, err)
	}
}

// TestDamage: what is damaged is reported as such, by key, and never returned.
func TestDamage(t *testing.T) {
	b := memory.New()
	s := s3.NewTinyStore(b, "v/", 1000)
	medium, long := bytes.Repeat([]byte("m"), 500), bytes.Repeat([]byte("l"), 5000)
	for key, value := range map[string][]byte{"short": []byte("s"), "medium": medium, "long": long, "gone": long, "sound": medium} {
		do(t, s, engine.Op{Kind: engine.Put, Key: key, Value: value})
	}
	other := func(name string) {
		i, body, err := b.Get(t.Context(), name, object.Range{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(body)
		content[0] ^= 1
		if _, err := b.Put(t.Context(), name, content, object.PutOptions{Header: i.Header}); err != nil {
			t.Fatal(err)
		}
	}
	data := func(key string) string {
		p, err := b.List(t.Context(), object.Query{Prefix: "v/.r/", Limit: 10})
		for _, ref := range p.Objects {
			_, body, _ := b.Get(t.Context(), ref.Key, object.Range{Length: -1})
			if content, _ := io.ReadAll(body); strings.HasPrefix(string(content), "v/="+key+"\n") {
				return "v/.d/" + strings.Split(ref.Key, "/")[2]
			}
		}
		t.Fatal(key, err)
		return ""
	}
	other("v/=short")
	other("v/=medium")
	other(data("long"))
	if err := b.Delete(t.Context(), data("gone"), object.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	reported := map[string]bool{}
	if err := s.Check(t.Context(), func(p engine.Problem) { reported[p.Key] = errors.Is(p.Err, engine.ErrCorrupt) }, nil); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"short", "medium", "long", "gone"} {
		if !reported[key] {
			t.Errorf("Check did not report %s: %v", key, reported)
		}
		if got, err := s.Get(t.Context(), key); !errors.Is(err, engine.ErrCorrupt) || got != nil {
			t.Errorf("Get(%s): %d bytes, %v", key, len(got), err)
		}
	}
	if len(reported) != 4 {
		t.Errorf("Check reported %v", reported)
	}
	page, err := s.List(t.Context(), engine.Query{Range: engine.Range{Start: "short"}, Limit: 10, Values: true})
	if oe := (*engine.OpError)(nil); !errors.As(err, &oe) || oe.Key != "short" {
		t.Errorf("List of a damaged value: %+v, %v", page, err)
	}
	page, err = s.List(t.Context(), engine.Query{Limit: 10, Values: true, Range: engine.Range{Start: "s"}, Reverse: true})
	if err != nil || len(page.Items) != 1 || page.Items[0].Key != "sound" || !page.More {
		t.Errorf("List up to a damaged value: %+v, %v", page, err)
	}
}

// TestDamagedHeaders: an object whose header makes no sense does not stop a listing or a check. It
// says what can be done about it, and that works.
func TestDamagedHeaders(t *testing.T) {
	beside := engine.Meta{User: map[string]string{"long": strings.Repeat("m", 2000)}} // its pointer has the metadata
	for name, tt := range map[string]struct {
		meta   engine.Meta
		damage func(header string, content []byte) (string, []byte)
		later  bool
	}{
		"no base64":       {damage: func(_ string, c []byte) (string, []byte) { return "no header!", c }},
		"another program": {damage: func(_ string, c []byte) (string, []byte) { return "cnViYmlzaA", c }},
		"cut off":         {damage: func(h string, c []byte) (string, []byte) { return h[:len(h)/2], c }},
		"longer":          {damage: func(h string, c []byte) (string, []byte) { return h + "AAAA", c }},
		"no stamp":        {damage: func(h string, c []byte) (string, []byte) { return h, c[:len(c)-5] }},
		"no pointer":      {meta: beside, damage: func(h string, c []byte) (string, []byte) { return h, c[:len(c)-5] }},
		"later version":   {damage: func(h string, c []byte) (string, []byte) { return "Ag" + h[2:], c }, later: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := memory.New()
			s := s3.NewTinyStore(b, "v/", 1000)
			for _, key := range []string{"a", "k", "z"} {
				do(t, s, engine.Op{Kind: engine.Put, Key: key, Value: []byte("value")})
			}
			do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("value"), Meta: tt.meta})
			i, body, err := b.Get(t.Context(), "v/=k", object.Range{Length: -1})
			if err != nil {
				t.Fatal(err)
			}
			content, _ := io.ReadAll(body)
			damage := func() {
				header, content := tt.damage(i.Header, content)
				if _, err := b.Put(t.Context(), "v/=k", content, object.PutOptions{Header: header}); err != nil {
					t.Fatal(err)
				}
			}
			damage()
			want := engine.ErrCorrupt
			if tt.later {
				want = engine.ErrUnsupported
			}
			is := func(what string, err, want error) {
				t.Helper()
				if !errors.Is(err, want) || want != nil && errors.Is(want, engine.ErrCorrupt) && !strings.Contains(err.Error(), `object "v/=k"`) && tt.meta.User == nil {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			_, err = s.Stat(t.Context(), "k")
			is("Stat", err, want)
			_, err = s.Get(t.Context(), "k")
			is("Get", err, want)
			_, err = s.Open(t.Context(), "k")
			is("Open", err, want)
			apply := func(op engine.Op) error {
				_, err := s.Apply(t.Context(), []engine.Op{op})
				return err
			}
			is("SetMeta", apply(engine.Op{Kind: engine.SetMeta, Key: "k"}), want)
			is("Rename", apply(engine.Op{Kind: engine.Rename, Key: "k", To: "to"}), want)
			is("Rename to it", apply(engine.Op{Kind: engine.Rename, Key: "a", To: "k"}), want)
			is("Copy", apply(engine.Op{Kind: engine.Copy, Key: "k", To: "to"}), want)
			is("Take", apply(engine.Op{Kind: engine.Delete, Key: "k", Take: true}), want)
			is("Put if it has a tag", apply(engine.Op{Kind: engine.Put, Key: "k", If: engine.Condition{Tag: "t"}}), want)
			is("Put if there is none", apply(engine.Op{Kind: engine.Put, Key: "k", If: engine.Condition{Absent: true}}), engine.ErrExists)
			page, err := s.List(t.Context(), engine.Query{Limit: 10})
			if err != nil || len(page.Items) != 3 || page.Items[1].Key != "k" || page.Items[2].Size != 5 {
				t.Errorf("List: %+v, %v", page, err)
			}
			var problems []engine.Problem
			if err := s.Check(t.Context(), func(p engine.Problem) { problems = append(problems, p) }, nil); err != nil || len(problems) != 1 || problems[0].Key != "k" {
				t.Errorf("Check: %v, %v", problems, err)
			}
			optimize(t, s)
			if tt.later {
				is("Put", apply(engine.Op{Kind: engine.Put, Key: "k"}), want)
				is("Delete", apply(engine.Op{Kind: engine.Delete, Key: "k"}), want)
				return
			}
			if res := do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("new")}); !res.Found {
				t.Error("Put found nothing")
			}
			if got, err := s.Get(t.Context(), "k"); string(got) != "new" || err != nil {
				t.Errorf("after Put: %q, %v", got, err)
			}
			damage()
			if res := do(t, s, engine.Op{Kind: engine.Delete, Key: "k"}); !res.Found {
				t.Error("Delete found nothing")
			}
			_, err = s.Stat(t.Context(), "k")
			is("after Delete", err, engine.ErrNotFound)
		})
	}
}

// TestSweepBesideDamage: a sweep keeps the data that a pointer may name whose header nobody can
// read.
func TestSweepBesideDamage(t *testing.T) {
	c := newClocked()
	s := s3.NewTinyStore(c, "v/", 100)
	do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: large(1)})
	i, body, err := c.Get(t.Context(), "v/=k", object.Range{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	content, _ := io.ReadAll(body)
	for _, header := range []string{"damaged", i.Header} {
		if _, err := c.Put(t.Context(), "v/=k", content, object.PutOptions{Header: header}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c.pass(25 * time.Hour)
			optimize(t, s)
		}
	}
	if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, large(1)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
