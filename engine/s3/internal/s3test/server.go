// Package s3test is a server of the protocol of S3 over a bucket in memory, whose faults tests
// choose. It knows what package client sends, and does not check signatures.
package s3test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// Fault is what goes wrong with a request. The zero value is nothing.
type Fault struct {
	// DropBefore and DropAfter break the connection before and after the request takes effect.
	DropBefore, DropAfter bool
	// Delay comes before it takes effect.
	Delay time.Duration
	// Stall, if not nil, keeps the answer back until it is closed.
	Stall <-chan struct{}
	// Truncate, if positive, is after how many bytes of the body the connection breaks.
	Truncate int
	// Answer, if not nil, answers in place of the server.
	Answer http.HandlerFunc
	// NoConditions ignores every condition.
	NoConditions bool
}

// Server is a server of one bucket, called "bucket".
type Server struct {
	URL    string
	Memory *memory.Bucket

	mu      sync.Mutex
	fault   func(*http.Request) Fault
	uploads map[string]object.Multipart
	parts   map[string]map[int]string // ETags
}

// Bucket is the name of the server's bucket.
const Bucket = "bucket"

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{Memory: memory.New(), uploads: map[string]object.Multipart{}, parts: map[string]map[int]string{}}
	h := httptest.NewServer(s)
	t.Cleanup(func() { h.CloseClientConnections(); h.Close() })
	s.URL = h.URL
	return s
}

// SetFault has f decide on each request from now on. It may be nil.
func (s *Server) SetFault(f func(*http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	decide := s.fault
	s.mu.Unlock()
	var f Fault
	if decide != nil {
		f = decide(r)
	}
	time.Sleep(f.Delay)
	if f.DropBefore {
		panic(http.ErrAbortHandler)
	}
	if f.NoConditions {
		for _, name := range []string{"If-Match", "If-None-Match", ifUnmodified} {
			r.Header.Del(name)
		}
	}
	answer := httptest.NewRecorder()
	if f.Answer == nil {
		s.serve(answer, r)
	}
	if f.DropAfter {
		panic(http.ErrAbortHandler)
	}
	if f.Stall != nil {
		select {
		case <-f.Stall:
		case <-r.Context().Done():
			return
		}
	}
	if f.Answer != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		f.Answer(w, r)
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	body := answer.Body.Bytes()
	if r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(answer.Code)
	if f.Truncate > 0 && f.Truncate < len(body) {
		_, _ = w.Write(body[:f.Truncate])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

const (
	ifUnmodified = "X-Amz-Delete-If-Unmodified-Since"
	metadata     = "X-Amz-Meta-Kvault"
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	var err error
	switch {
	case bucket != Bucket:
		Error(w, http.StatusNotFound, "NoSuchBucket")
	case key == "" && q.Has("uploads"):
		err = s.listUploads(w, r, q)
	case key == "":
		err = s.list(w, r, q)
	case q.Has("uploads"):
		err = s.begin(w, r, key)
	case q.Has("uploadId"):
		err = s.upload(w, r, key, q)
	case r.Method == http.MethodPut:
		err = s.put(w, r, key)
	case r.Method == http.MethodDelete:
		err = s.delete(w, r, key)
	default:
		err = s.get(w, r, key)
	}
	switch {
	case err == nil:
	case errors.Is(err, object.ErrNotFound):
		Error(w, http.StatusNotFound, "NoSuchKey")
	case errors.Is(err, object.ErrPrecondition):
		Error(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case errors.Is(err, io.ErrUnexpectedEOF):
		Error(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
	default:
		Error(w, http.StatusInternalServerError, "InternalError")
	}
}

// Error answers with an error of S3.
func Error(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>of the test</Message></Error>", code)
}

func write(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/xml")
	return xml.NewEncoder(w).Encode(v)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, key string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	etag, err := s.Memory.Put(r.Context(), key, body, object.PutOptions{
		IfAbsent: r.Header.Get("If-None-Match") == "*", IfMatch: strings.Trim(r.Header.Get("If-Match"), `"`),
		Header: r.Header.Get(metadata), ContentType: r.Header.Get("Content-Type"),
	})
	w.Header().Set("ETag", `"`+etag+`"`)
	return err
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, key string) error {
	since, _ := time.Parse(time.DateTime, r.Header.Get(ifUnmodified)) // none is the zero time, which is no condition
	err := s.Memory.Delete(r.Context(), key, object.DeleteOptions{IfMatch: strings.Trim(r.Header.Get("If-Match"), `"`), UnmodifiedSince: since})
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, key string) error {
	p, err := s.open(r, key)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("ETag", `"`+p.ETag+`"`)
	h.Set("Last-Modified", p.Modified.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", p.ContentType)
	if p.Header != "" {
		h.Set(metadata, p.Header)
	}
	h.Set("Content-Length", strconv.FormatInt(p.length, 10))
	if p.ranged {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", p.off, p.off+p.length-1, p.Size))
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method != http.MethodHead {
		_, err = io.Copy(w, p.body)
	}
	return err
}

// part is what a request asks for of one version of an object.
type part struct {
	object.Info
	off, length int64
	ranged      bool
	body        io.Reader
}

func (s *Server) open(r *http.Request, key string) (p part, err error) {
	want := strings.Trim(r.Header.Get("If-Match"), `"`)
	for {
		if p.Info, err = s.Memory.Head(r.Context(), key); err != nil {
			return p, err
		}
		if want != "" && want != p.ETag {
			return p, object.ErrPrecondition
		}
		if p.off, p.length, p.ranged, err = requested(r.Header.Get("Range"), p.Size); err != nil {
			return p, err
		}
		o := object.Range{Off: p.off, Length: p.length, IfMatch: p.ETag}
		if p.Info, p.body, err = s.Memory.Get(r.Context(), key, o); !errors.Is(err, object.ErrPrecondition) {
			return p, err
		} // a writer came between
	}
}

// requested is what a Range header asks for of so many bytes: "bytes=1-2" or "bytes=1-".
func requested(header string, size int64) (off, length int64, ranged bool, err error) {
	span, ranged := strings.CutPrefix(header, "bytes=")
	if !ranged {
		return 0, size, false, nil
	}
	from, to, _ := strings.Cut(span, "-")
	off, err = strconv.ParseInt(from, 10, 64)
	if err != nil {
		return 0, 0, false, err
	}
	last := size - 1
	if to != "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil {
			return 0, 0, false, err
		}
		last = min(n, last)
	}
	if off > last {
		return 0, 0, false, io.ErrUnexpectedEOF
	}
	return off, last - off + 1, true, nil
}

type content struct {
	Key, LastModified, ETag string
	Size                    int64
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, q url.Values) error {
	limit, err := strconv.Atoi(q.Get("max-keys"))
	if err != nil {
		return err
	}
	p, err := s.Memory.List(r.Context(), object.Query{Prefix: q.Get("prefix"), After: q.Get("start-after"), Limit: limit})
	if err != nil {
		return err
	}
	answer := struct {
		XMLName      xml.Name `xml:"ListBucketResult"`
		Name         string
		IsTruncated  bool
		EncodingType string
		Contents     []content
	}{Name: Bucket, IsTruncated: p.More, EncodingType: "url"}
	for _, i := range p.Objects {
		answer.Contents = append(answer.Contents, content{url.QueryEscape(i.Key), stamp(i.Modified), `"` + i.ETag + `"`, i.Size})
	}
	return write(w, answer)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (s *Server) begin(w http.ResponseWriter, r *http.Request, key string) error {
	m, err := s.Memory.Begin(r.Context(), key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.uploads[m.ID()], s.parts[m.ID()] = m, map[int]string{}
	s.mu.Unlock()
	return write(w, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: Bucket, Key: key, UploadId: m.ID()})
}

func (s *Server) listUploads(w http.ResponseWriter, r *http.Request, q url.Values) error {
	list, err := s.Memory.Unfinished(r.Context(), q.Get("prefix"))
	if err != nil {
		return err
	}
	type upload struct{ Key, UploadId, Initiated string }
	answer := struct {
		XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
		Bucket      string
		IsTruncated bool
		Upload      []upload
	}{Bucket: Bucket}
	for _, u := range list {
		answer.Upload = append(answer.Upload, upload{u.Key, u.ID, stamp(u.Begun)})
	}
	return write(w, answer)
}

// upload adds a part to an upload, completes it, or gives it up.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, key string, q url.Values) error {
	id := q.Get("uploadId")
	s.mu.Lock()
	m := s.uploads[id]
	s.mu.Unlock()
	if m == nil {
		Error(w, http.StatusNotFound, "NoSuchUpload")
		return nil
	}
	forget := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.uploads, id)
		delete(s.parts, id)
	}
	switch r.Method {
	case http.MethodPut:
		n, err := strconv.Atoi(q.Get("partNumber"))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		etag := fmt.Sprintf("part-%d-%d", n, len(body))
		s.mu.Lock()
		s.parts[id][n] = etag
		s.mu.Unlock()
		w.Header().Set("ETag", `"`+etag+`"`)
		s.mu.Lock() // parts of one upload in memory share a map
		defer s.mu.Unlock()
		return m.Part(r.Context(), n, body)
	case http.MethodDelete:
		forget()
		w.WriteHeader(http.StatusNoContent)
		return m.Abort(r.Context())
	}
	var asked struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.NewDecoder(r.Body).Decode(&asked); err != nil {
		return err
	}
	s.mu.Lock()
	numbers := make([]int, 0, len(asked.Part))
	right := len(asked.Part) > 0
	for _, p := range asked.Part {
		right = right && s.parts[id][p.PartNumber] == strings.Trim(p.ETag, `"`)
		numbers = append(numbers, p.PartNumber)
	}
	s.mu.Unlock()
	if !right || !slices.IsSorted(numbers) {
		Error(w, http.StatusBadRequest, "InvalidPart")
		return nil
	}
	etag, err := m.Complete(r.Context())
	if err != nil {
		return err
	}
	forget()
	return write(w, struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: Bucket, Key: key, ETag: `"` + etag + `"`})
}
