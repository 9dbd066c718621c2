// Package archive serves all values below a prefix as one zip or tar stream.
//
// The stream is made while it is sent: of the vault nothing is held between two pieces, and of a
// tar only one value's piece is in memory. A zip keeps the name of every entry in memory until its
// end, so it has at most MaxZip of them. No value is compressed: what is large in a vault, media
// and archives, is so already.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Path is where New's handler serves.
const Path = "/api/v1/archive"

// MaxZip is the most keys of a zip.
const MaxZip = 100_000

// Handler serves archives of a vault. It is safe for concurrent use.
type Handler struct {
	v      *kvault.Vault
	source *stream.Source
	maxZip int
}

// New returns a Handler for GET and HEAD requests of Path?prefix=P&format=zip, or format=tar. The
// names in the archive are those of the keys behind the last slash of the prefix, see nameOf.
//
// A key that is removed before its turn is left out. If a value is changed while it is sent, or is
// damaged, the Handler breaks the connection off, so that nobody takes the archive for complete.
func New(v *kvault.Vault) *Handler { return &Handler{v, stream.NewSource(v), MaxZip} }

var formats = map[string]string{"zip": "application/zip", "tar": "application/x-tar"}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j, err := h.newJob(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", formats[j.format])
	header.Set("Content-Disposition", wire.Disposition("attachment", j.fileName()))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	if err := j.run(w); err != nil {
		wire.BreakOff(w, err)
	}
}

// job is one archive.
type job struct {
	v              *kvault.Vault
	source         *stream.Source
	ctx            context.Context
	prefix, format string
}

func (h *Handler) newJob(w http.ResponseWriter, r *http.Request) (*job, error) {
	query := r.URL.Query()
	j := &job{h.v, h.source, r.Context(), query.Get("prefix"), query.Get("format")}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return nil, &wire.Error{
			Status: http.StatusMethodNotAllowed, Text: "an archive takes GET and HEAD",
		}
	case formats[j.format] == "":
		return nil, &wire.Error{Status: http.StatusBadRequest, Text: "format is neither zip nor tar"}
	case !access.Of(r.Context()).ReadPrefix(j.prefix):
		return nil, wire.Forbidden()
	}
	n, err := j.count(h.maxZip)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, &wire.Error{Status: http.StatusNotFound, Text: "no key begins with this prefix"}
	case n > h.maxZip && j.format == "zip":
		return nil, &wire.Error{
			Status: http.StatusBadRequest,
			Text:   fmt.Sprintf("more than %d keys begin with this prefix: ask for format=tar", h.maxZip),
		}
	}
	return j, nil
}

// count counts the keys as far as matters.
func (j *job) count(maxZip int) (n int, err error) {
	limit := 1
	if j.format == "zip" {
		limit = maxZip + 1
	}
	for _, err := range j.v.Keys(j.ctx, &kvault.ListOptions{Prefix: j.prefix, Limit: limit}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (j *job) fileName() string {
	name := strings.TrimRight(j.prefix, "/")
	if name = name[strings.LastIndexByte(name, '/')+1:]; name == "" {
		name = "vault"
	}
	return name + "." + j.format
}

// packer writes entries of an archive.
type packer interface {
	// begin starts the file name, which has e.Size bytes, or the folder name, which ends in a slash.
	begin(name string, e kvault.Entry) (io.Writer, error)
	// end completes the archive.
	end() error
}

func (j *job) run(w io.Writer) error {
	var p packer = newTar(w)
	if j.format == "zip" {
		p = newZip(w)
	}
	for key, err := range j.keys() {
		if err == nil {
			err = j.add(p, key)
		}
		if err != nil {
			return err
		}
	}
	return p.end()
}

// found is a key, and whether it names a folder of the archive too.
type found struct {
	key    string
	folder bool
}

// keys yields the keys in order. Other keys may lie between "a" and "a/b", but all of them begin
// with "a", so most keys show by the next one that they are no folder.
func (j *job) keys() iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		var last string
		emit := func(next string) bool {
			if last == "" {
				return true
			}
			f := found{key: last}
			var err error
			if strings.HasPrefix(next, last) {
				f.folder, err = j.isFolder(last)
			}
			return yield(f, err) && err == nil
		}
		for key, err := range j.v.Keys(j.ctx, &kvault.ListOptions{Prefix: j.prefix}) {
			if err != nil {
				yield(found{}, err)
				return
			}
			if !emit(key) {
				return
			}
			last = key
		}
		emit("")
	}
}

func (j *job) isFolder(key string) (bool, error) {
	for _, err := range j.v.Keys(j.ctx, &kvault.ListOptions{Prefix: key + "/", Limit: 1}) {
		return err == nil, err
	}
	return false, nil
}

// peek is how much of a value is read before its entry begins, and attempts how often add opens one
// that is replaced before that.
const (
	peek     = 32 << 10
	attempts = 10
)

// add packs the value of a key, if it is still there.
func (j *job) add(p packer, f found) error {
	var begun bool
	var err error
	for range attempts {
		begun, err = j.addVersion(p, f)
		if begun || !errors.Is(err, kvault.ErrTagMismatch) {
			break
		}
	}
	if !begun && errors.Is(err, kvault.ErrNotFound) {
		return nil
	}
	return err
}

// addVersion reports whether it began an entry, which then must become complete.
func (j *job) addVersion(p packer, f found) (begun bool, err error) {
	value, err := j.source.Open(j.ctx, f.key)
	if err != nil {
		return false, err
	}
	defer value.Close()
	first := make([]byte, min(value.Entry.Size, peek))
	if _, err := io.ReadFull(value, first); err != nil {
		return false, err
	}
	name := f.key[len(folderOf(j.prefix)):]
	if name == "" && value.Entry.Size == 0 {
		return true, nil // the folder that the whole archive is
	}
	to, err := p.begin(nameOf(name, f.folder, value.Entry.Size), value.Entry)
	if err != nil {
		return true, err
	}
	if _, err := to.Write(first); err != nil {
		return true, err
	}
	_, reading, writing := value.Copy(to, value, value.Entry.Size-int64(len(first)))
	return true, errors.Join(reading, writing)
}
