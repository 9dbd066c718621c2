package api

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Mount is where New's handler serves.
const Mount = "/api/v1/"

// handler serves what Mount is for.
type handler struct {
	v      *kvault.Vault
	limits limits
	// counts and scans let few requests at a time count keys, and read a whole column.
	counts, scans slots
}

// limits bound the work for one request.
type limits struct {
	// Counting is the time for counting keys, after which an answer says that there are more, and
	// Adding that for adding up the sizes of all values, after which the figures are without it.
	Counting, Adding time.Duration
	// FolderKeys is the number of keys that are counted in one of several folders.
	FolderKeys int64
	// Scan is the time for reading a column, after which the request fails.
	Scan time.Duration
	// Plotted is the number of elements that are read for a plot.
	Plotted int64
	// PageBytes is about how much is read of columns at a time. Stalled clients hold as much.
	PageBytes int
}

// New returns a handler for requests below Mount. It is safe for concurrent use.
func New(v *kvault.Vault) http.Handler {
	return &handler{
		v: v,
		limits: limits{
			Counting: time.Second, Adding: 250 * time.Millisecond, FolderKeys: 100_000,
			Scan: time.Minute, Plotted: 50_000_000, PageBytes: 64 << 10,
		},
		counts: make(slots, 2), scans: make(slots, 2),
	}
}

// endpoint answers requests for one path.
type endpoint struct {
	answer  func(a *reply, r *http.Request) error
	methods []string
}

var reading = []string{http.MethodGet, http.MethodHead}

func (h *handler) endpoint(path string) endpoint {
	switch path {
	case "keys":
		return endpoint{h.keys, reading}
	case "du":
		return endpoint{h.usage, reading}
	case "columns":
		return endpoint{h.columns, reading}
	case "stats":
		return endpoint{h.stats, reading}
	case "prefix":
		return endpoint{h.changePrefix, []string{http.MethodPost}}
	case "delete":
		return endpoint{h.deleteKeys, []string{http.MethodPost}}
	}
	if strings.HasPrefix(path, "columns/") {
		return endpoint{h.column, reading}
	}
	return endpoint{}
}

// ServeHTTP answers a request for a path below Mount.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := h.endpoint(strings.TrimPrefix(r.URL.EscapedPath(), Mount))
	if e.answer == nil {
		wire.Fail(w, r, &wire.Error{Status: http.StatusNotFound, Text: "there is nothing at this path"})
		return
	}
	if !slices.Contains(e.methods, r.Method) {
		allowed := strings.Join(e.methods, ", ")
		w.Header().Set("Allow", allowed)
		wire.Fail(w, r, &wire.Error{
			Status: http.StatusMethodNotAllowed, Text: "the methods for this path are " + allowed,
		})
		return
	}
	a := &reply{w: w, contentType: "application/json; charset=utf-8"}
	a.Writer = bufio.NewWriterSize(startWriter{a}, 32<<10)
	err := e.answer(a, r)
	if err == nil {
		err = a.Flush()
	}
	switch {
	case err == nil:
	case !a.started:
		wire.Fail(w, r, err)
	default:
		wire.BreakOff(w, err)
	}
}

// reply is the answer to a request. Until the first bytes have left its buffer, a failure can
// become another answer.
type reply struct {
	*bufio.Writer
	w           http.ResponseWriter
	contentType string
	started     bool
}

// startWriter writes the header before the first bytes.
type startWriter struct{ *reply }

func (s startWriter) Write(p []byte) (int, error) {
	s.start()
	return s.w.Write(p)
}

// start decides that the answer is a success.
func (a *reply) start() {
	if a.started {
		return
	}
	a.started = true
	header := a.w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	a.w.WriteHeader(http.StatusOK)
}

// headOnly answers HEAD, and reports whether it has.
func (a *reply) headOnly(r *http.Request) bool {
	if r.Method == http.MethodHead {
		a.start()
	}
	return a.started
}

// json writes v on a line. Nothing is escaped for HTML: the answers are no HTML, and say so.
func (a *reply) json(v any) error {
	enc := json.NewEncoder(a)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
