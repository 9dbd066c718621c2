package typed_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/typed"
)

func open(t *testing.T) (context.Context, *kvault.Vault) {
	t.Helper()
	ctx := t.Context()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, v
}

func TestPutAndGet(t *testing.T) {
	ctx, v := open(t)
	if _, err := typed.Put(ctx, v, "notes.json", map[string]any{"a": 1}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := typed.Get(ctx, v, "notes.json")
	if err != nil || got.Encoding != typed.MessagePack || !got.Headed || got.Data.(map[string]any)["a"] != int64(1) {
		t.Errorf("%v, %v", got, err)
	}
	info, err := typed.Stat(ctx, v, "notes.json")
	if err != nil || info.Encoding != typed.MessagePack || info.Size != 4 || info.Entry.Size != 14 || info.Entry.ContentType != "application/octet-stream" {
		t.Errorf("%+v, %v", info, err)
	}
	entry, err := typed.PutAs(ctx, v, "notes.json", typed.JSON, []int{1}, &kvault.PutOptions{ContentType: "x/y", IfTag: info.Entry.Tag})
	if err != nil || entry.ContentType != "x/y" {
		t.Errorf("%+v, %v", entry, err)
	}
	if _, err := typed.Put(ctx, v, "notes.json", 1, &kvault.PutOptions{IfAbsent: true}); !errors.Is(err, kvault.ErrExists) {
		t.Error(err)
	}
}

// Raw bytes that begin like a header come back as they were, whichever way they went in.
func TestBytesThatLookLikeAHeader(t *testing.T) {
	ctx, v := open(t)
	for name, raw := range map[string][]byte{
		"header":  append(typed.AppendHeader(nil, typed.Text), "text"...),
		"begin":   []byte("\x89K and something else"),
		"short":   []byte("\x89K"),
		"unknown": append(typed.AppendHeader(nil, 0x7F), make([]byte, 32)...),
	} {
		if err := v.Put(ctx, "plain "+name, raw); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Get(ctx, "plain "+name); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		_, err1 := typed.Put(ctx, v, "typed "+name, raw, nil)
		_, err2 := typed.PutReader(ctx, v, "stream "+name, typed.Raw, iotest.OneByteReader(bytes.NewReader(raw)), nil)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"typed ", "stream "} {
			got, err := typed.Get(ctx, v, how+name)
			if err != nil || got.Encoding != typed.Raw || !bytes.Equal(got.Data.([]byte), raw) || got.Headed != (name != "short") {
				t.Errorf("%s%s: %+v, %v", how, name, got, err)
			}
		}
	}
	_, err := typed.Get(ctx, v, "plain begin")
	var keyed *kvault.Error
	if !errors.Is(err, typed.ErrHeader) || !errors.As(err, &keyed) || keyed.Key != "plain begin" {
		t.Error(err)
	}
	if _, err := typed.Stat(ctx, v, "plain unknown"); !errors.Is(err, typed.ErrHeader) {
		t.Error(err)
	}
}

func TestStreams(t *testing.T) {
	ctx, v := open(t)
	text := strings.Repeat("wörld ", 1<<20)
	o := &kvault.PutOptions{Size: int64(len(text)), ChunkSize: 64 << 10}
	entry, err := typed.PutReader(ctx, v, "large", typed.Text, strings.NewReader(text), o)
	if err != nil || entry.Size != int64(len(text))+typed.HeaderSize || o.Size != int64(len(text)) {
		t.Fatalf("%+v, %v", entry, err)
	}
	p, err := typed.Open(ctx, v, "large")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Size() != int64(len(text)) || p.Encoding != typed.Text || !p.Headed {
		t.Errorf("%+v", p.Info)
	}
	if got, err := io.ReadAll(p); err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	part := make([]byte, 6)
	if _, err := p.ReadAt(part, 1); err != nil || string(part) != text[1:7] {
		t.Errorf("%q, %v", part, err)
	}
	if _, err := p.ReadAt(part, p.Size()-2); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if _, err := typed.PutReader(ctx, v, "empty", typed.Text, strings.NewReader(""), &kvault.PutOptions{SizeKnown: true}); err != nil {
		t.Error(err)
	}
	if got, err := typed.Get(ctx, v, "empty"); err != nil || got.Data != "" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestStreamsThatFail(t *testing.T) {
	ctx, v := open(t)
	if err := v.Put(ctx, "k", []byte("old")); err != nil {
		t.Fatal(err)
	}
	var io2 *kvault.IOError
	for name, c := range map[string]struct {
		e    typed.Encoding
		from io.Reader
		is   func(error) bool
	}{
		"not UTF-8":        {typed.Text, strings.NewReader("a\xff"), func(err error) bool { return errors.Is(err, typed.ErrValue) }},
		"cut off in UTF-8": {typed.Text, strings.NewReader("a\xc3"), func(err error) bool { return errors.Is(err, typed.ErrValue) }},
		"encoding":         {0x7F, strings.NewReader("a"), func(err error) bool { return errors.Is(err, typed.ErrValue) }},
		"source":           {typed.JSON, iotest.ErrReader(io.ErrUnexpectedEOF), func(err error) bool { return errors.As(err, &io2) }},
		"source of raw":    {typed.Raw, iotest.ErrReader(io.ErrUnexpectedEOF), func(err error) bool { return errors.As(err, &io2) }},
	} {
		_, err := typed.PutReader(ctx, v, "k", c.e, c.from, nil)
		var keyed *kvault.Error
		if !c.is(err) || !errors.As(err, &keyed) || keyed.Key != "k" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := typed.PutReader(ctx, v, "k", typed.Text, strings.NewReader("text"), &kvault.PutOptions{Size: 5})
	if !errors.Is(err, kvault.ErrInvalid) {
		t.Errorf("wrong size: %v", err)
	}
	if got, err := v.Get(ctx, "k"); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestErrorsOfTheVault(t *testing.T) {
	ctx, v := open(t)
	_, err1 := typed.Get(ctx, v, "none")
	_, err2 := typed.Stat(ctx, v, "none")
	_, err3 := typed.Open(ctx, v, "none")
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, kvault.ErrNotFound) {
			t.Error(err)
		}
	}
	if _, err := typed.Put(ctx, v, "k", make(chan int), nil); !errors.Is(err, typed.ErrValue) {
		t.Error(err)
	}
	if _, err := typed.PutAs(ctx, v, "k", typed.Text, 1, nil); !errors.Is(err, typed.ErrValue) {
		t.Error(err)
	}
	if err := v.Put(ctx, "k", typed.AppendHeader(nil, typed.MessagePack)); err != nil {
		t.Fatal(err)
	}
	if _, err := typed.Get(ctx, v, "k"); !errors.Is(err, typed.ErrPayload) {
		t.Error(err)
	}
}

func TestInTransactions(t *testing.T) {
	ctx, v := open(t)
	err := v.Update(ctx, func(tx *kvault.Tx) error {
		_, err1 := typed.Put(ctx, tx, "n", 5, nil)
		_, err2 := typed.PutReader(ctx, tx, "s", typed.JSON, strings.NewReader("[1]"), nil)
		got, err3 := typed.Get(ctx, tx, "n")
		if got.Data != int64(5) {
			t.Errorf("%v", got)
		}
		info, err4 := typed.Stat(ctx, tx, "s")
		if info.Encoding != typed.JSON {
			t.Errorf("%+v", info)
		}
		return errors.Join(err1, err2, err3, err4)
	})
	if err != nil {
		t.Error(err)
	}
}
