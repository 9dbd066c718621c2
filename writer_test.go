package kvault_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestWriter(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		for _, step := range []int{1, 7, 8, 9, 100} {
			w, err := v.NewWriter(t.Context(), "a", nil)
			if err != nil {
				t.Fatal(err)
			}
			for rest := []byte(text); len(rest) > 0; {
				n, err := w.Write(rest[:min(step, len(rest))])
				if err != nil || n != min(step, len(rest)) {
					t.Fatal(n, err)
				}
				rest = rest[n:]
			}
			if w.Entry().Size != 0 {
				t.Errorf("entry before Close: %+v", w.Entry())
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			wantGet(t, v, "a", text)
			if e, err := v.Stat(t.Context(), "a"); err != nil || e.Tag != w.Entry().Tag || e.Size != int64(len(text)) {
				t.Errorf("Stat = %+v, %v; the writer says %+v", e, err, w.Entry())
			}
			w.Abort()
			if err := w.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			_, err = w.Write([]byte("x"))
			wantErr(t, err, kvault.ErrClosed)
			_, err = w.ReadFrom(strings.NewReader("x"))
			wantErr(t, err, kvault.ErrClosed)
			wantGet(t, v, "a", text)
		}
	})
}

func TestWriterMixesWriteAndReadFrom(t *testing.T) {
	v := newVault(t, quick)
	for split := range len(text) {
		w, err := v.NewWriter(t.Context(), "a", &kvault.PutOptions{Size: int64(len(text))})
		if err != nil {
			t.Fatal(err)
		}
		half := split / 2
		w.Write([]byte(text[:half]))
		if n, err := io.Copy(w, strings.NewReader(text[half:split])); err != nil || n != int64(split-half) {
			t.Fatal(n, err)
		}
		w.Write([]byte(text[split:]))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wantGet(t, v, "a", text)
	}
}

func TestAbortedWriter(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "old")
	w, err := v.NewWriter(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	wantErr(t, w.Close(), kvault.ErrClosed)
	_, err = w.Write(nil)
	wantErr(t, err, kvault.ErrClosed)
	f.wantStored(t, "a", "old")
	if n := staged(t, f); n != 0 {
		t.Errorf("%d stages left behind", n)
	}
}

func TestWriterFailuresStick(t *testing.T) {
	for _, call := range []string{"stage", "write chunk"} {
		v, f := newFaultyVault(t, quick)
		put(t, v, "a", "old")
		w, err := v.NewWriter(t.Context(), "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		f.fail(call, 1, errBoom)
		_, err = io.WriteString(w, text)
		wantErr(t, err, errBoom)
		_, err = io.WriteString(w, text)
		wantErr(t, err, errBoom)
		wantErr(t, w.Close(), errBoom)
		wantErr(t, w.Close(), errBoom)
		f.wantStored(t, "a", "old")
		if n := staged(t, f); n != 0 {
			t.Errorf("%s: %d stages left behind", call, n)
		}
	}
}

func TestWriterClosesWithAnError(t *testing.T) {
	for name, c := range map[string]struct {
		o     kvault.PutOptions
		call  string
		value string
		want  error
	}{
		"last chunk":  {kvault.PutOptions{}, "write chunk", "123456789", errBoom},
		"publishing":  {kvault.PutOptions{}, "apply", text, errBoom},
		"small value": {kvault.PutOptions{}, "apply", "1", errBoom},
		"too short":   {kvault.PutOptions{Size: 100}, "", text, kvault.ErrInvalid},
		"condition":   {kvault.PutOptions{IfAbsent: true}, "", text, kvault.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "old")
			w, err := v.NewWriter(t.Context(), "a", &c.o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, c.value); err != nil {
				t.Fatal(err)
			}
			f.fail(c.call, 1, errBoom)
			wantErr(t, w.Close(), c.want)
			f.on(nil)
			f.wantStored(t, "a", "old")
			if n := staged(t, f); n != 0 {
				t.Errorf("%d stages left behind", n)
			}
		})
	}
}

func TestWriterContextAndClosedVault(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	ctx, cancel := context.WithCancel(t.Context())
	cancelled, err := v.NewWriter(ctx, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(cancelled, text); err != nil {
		t.Fatal(err)
	}
	cancel()
	wantErr(t, cancelled.Close(), context.Canceled)
	if n := staged(t, f); n != 0 {
		t.Errorf("%d stages left behind", n)
	}
	w, err := v.NewWriter(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, bytes.NewReader([]byte(text)))
	wantErr(t, err, kvault.ErrClosed)
	wantErr(t, w.Close(), kvault.ErrClosed)
}

// Close must not wait for a source that may never end.
func TestCloseDoesNotWaitForASource(t *testing.T) {
	v, _ := newFaultyVault(t, quick)
	g := &gated{first: strings.NewReader(text[:20]), rest: strings.NewReader(text[20:]), reached: make(chan struct{}), gate: make(chan struct{})}
	reached := g.reached
	done := make(chan error)
	go func() {
		_, err := v.PutReader(t.Context(), "a", g, nil)
		done <- err
	}()
	<-reached
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	close(g.gate)
	wantErr(t, <-done, kvault.ErrClosed)
}
