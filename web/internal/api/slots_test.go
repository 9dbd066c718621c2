package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/api"
)

// stalledWriter is a client that takes nothing until it is let go.
type stalledWriter struct {
	http.ResponseWriter
	asked chan<- string
	let   <-chan struct{}
}

func (w stalledWriter) Write(p []byte) (int, error) {
	select {
	case w.asked <- string(p):
		<-w.let
	case <-w.let:
	}
	return w.ResponseWriter.Write(p)
}

// Clients that do not take their answers keep nobody from counting, or from reading a column.
func TestSlotsOfStalledClients(t *testing.T) {
	v := newVault(t)
	// The answers are longer than buffers, so that they are written before the handler returns.
	for i := range 1000 {
		put(t, v, fmt.Sprint(strings.Repeat("long", 10), i, "/x"))
	}
	add(t, v, "n", column.Int64, count(8000)...)
	h := api.New(v)
	asked, let := make(chan string), make(chan struct{})
	done := make(chan struct{})
	paths := []string{
		"du?delimiter=/", "stats", "columns/n?view=plot&points=10000", "columns/n?view=summary",
	}
	for _, path := range paths {
		for range 3 {
			go func() {
				r := httptest.NewRequestWithContext(t.Context(), "GET", api.Mount+path, nil)
				r = r.WithContext(access.With(r.Context(), access.Everything(false)))
				h.ServeHTTP(stalledWriter{httptest.NewRecorder(), asked, let}, r)
				done <- struct{}{}
			}()
			select {
			case text := <-asked:
				if !strings.HasPrefix(text, "{") {
					t.Errorf("%s: %.100s", path, text)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s waits for a slot", path)
			}
		}
	}
	close(let)
	for range 3 * len(paths) {
		<-done
	}
}

// A request that waits for others ends when its client is gone, or its time is up.
func TestTimeOfScans(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, count(300_000)...)
	c := serve(t, api.NewWith(v, func(l *api.Limits) { l.Scan = time.Nanosecond }), access.Everything(false))
	for _, view := range []string{"plot", "summary", "histogram"} {
		status, text := c.status("GET", "columns/n?view="+view, "")
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "too long") {
			t.Errorf("%s: %d %s", view, status, text)
		}
	}
}

// custom is a type that no other program knows.
type custom struct{ column.Codec[int64] }

func (custom) Type() string { return "custom" }

func TestUnknownTypes(t *testing.T) {
	v := newVault(t)
	add(t, v, "t/x", column.Codec[int64](custom{column.Int64}), 1)
	c := everything(t, v)
	if text := c.get("columns"); !strings.Contains(text, `"type":"custom"`) {
		t.Error(text)
	}
	for _, query := range []string{"", "?view=plot", "?view=summary", "?view=histogram", "?format=csv"} {
		for _, name := range []string{"t/x", "t/"} {
			status, text := c.status("GET", "columns/"+name+query, "")
			if status != http.StatusNotImplemented && !(name == "t/" && strings.Contains(query, "view") && status == http.StatusNotFound) {
				t.Errorf("%s%s: %d %s", name, query, status, text)
			}
		}
	}
}

func BenchmarkColumns(b *testing.B) {
	v := newVault(b)
	c := add(b, v, "n", column.Int64)
	for range 10 {
		if err := c.Extend(b.Context(), count(1_000_000)); err != nil {
			b.Fatal(err)
		}
	}
	client := everything(b, v)
	for _, path := range []string{
		"view=plot", "view=plot&from=5000000&to=5000800", "view=histogram&bins=200", "view=summary", "limit=100&offset=-100",
		"format=csv&limit=1000000", "format=ndjson&limit=1000000", "format=arrow&limit=1000000",
	} {
		b.Run(fmt.Sprint(path), func(b *testing.B) {
			for b.Loop() {
				client.get("columns/n?" + path)
			}
		})
	}
}
