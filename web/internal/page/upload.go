package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/filetree"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// maxProblems is how many files that were not stored a page names.
const maxProblems = 100

// change does what a form of the page of a folder asks for: it makes a folder, or stores files.
func (h *Handler) change(w http.ResponseWriter, r *http.Request, prefix string) {
	if !access.Of(r.Context()).WritePrefix(prefix) {
		h.fail(w, r, wire.Forbidden())
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		h.upload(w, r, prefix)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, brokeOff(err))
		return
	}
	name := strings.Trim(r.PostForm.Get("folder"), "/")
	if name == "" || name == "." || name == ".." {
		h.fail(w, r, badForm("this is no name of a folder"))
		return
	}
	// The folder is a key that "kvault import --folders" and WebDAV make as well.
	key := prefix + name + "/"
	o := &kvault.PutOptions{IfAbsent: true, User: map[string]string{}}
	o.ContentType = filetree.AddKind(o.User, filetree.Folder)
	_, err := h.v.PutWith(r.Context(), key, nil, o)
	if err != nil && !errors.Is(err, kvault.ErrExists) {
		h.fail(w, r, err)
		return
	}
	http.Redirect(w, r, folderLink(key), http.StatusSeeOther)
}

// upload stores the files of a form into a folder, one after the other as they arrive, so memory
// holds one chunk of one file. A file that breaks off leaves the key as it was. A key that exists
// stays unless the form's box "replace" is ticked; browsers send that field before the files.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request, prefix string) {
	parts, err := r.MultipartReader()
	if err != nil {
		h.fail(w, r, brokeOff(err))
		return
	}
	u := &formUpload{h: h, prefix: prefix, status: http.StatusSeeOther}
	for err == nil {
		var part *multipart.Part
		if part, err = parts.NextPart(); err == nil {
			err = u.take(r.Context(), part)
		}
	}
	if !errors.Is(err, io.EOF) {
		u.problem(brokeOff(err), "The upload")
	}
	if u.stored == 0 && len(u.problems) == 0 {
		u.problem(badForm("no file was chosen"), "Nothing was stored")
	}
	if len(u.problems) == 0 {
		http.Redirect(w, r, folderLink(prefix, "stored", strconv.Itoa(u.stored)), u.status)
		return
	}
	wire.Note(w, u.cause)
	d := &folderData{Prefix: prefix, Problems: u.problems}
	if u.stored > 0 {
		d.Notice = stored(u.stored)
	}
	h.showFolder(w, r, u.status, d)
}

// formUpload is the state of one form.
type formUpload struct {
	h        *Handler
	prefix   string
	replace  bool
	stored   int
	problems []string
	status   int   // of the answer
	cause    error // of the first problem
}

func (u *formUpload) problem(err error, what string) {
	if u.cause == nil {
		e := wire.AsError(err)
		u.status, u.cause = e.Status, err
	}
	if len(u.problems) < maxProblems {
		u.problems = append(u.problems, what+": "+wire.AsError(err).Text+".")
	}
}

// take handles one field of the form. Its error ends the form: the rest cannot be read.
func (u *formUpload) take(ctx context.Context, part *multipart.Part) error {
	if part.FormName() == "replace" {
		u.replace = true
		return nil
	}
	name := part.FileName()
	switch name {
	case "": // a field of another kind, or no file was chosen
		return nil
	case ".", "..", "/":
		u.problem(badForm("this is no name of a file"), show(name))
		return nil
	}
	body := &body{r: part}
	_, err := u.h.v.PutReader(ctx, u.prefix+name, body, &kvault.PutOptions{IfAbsent: !u.replace})
	switch {
	case err == nil:
		u.stored++
	case body.err != nil:
		u.problem(brokeOff(body.err), show(name))
		return io.EOF // said already
	case errors.Is(err, kvault.ErrExists):
		u.problem(&wire.Error{
			Status: http.StatusConflict, Cause: err,
			Text: "a file of this name exists already, and was not replaced",
		}, show(name))
	default:
		u.problem(err, show(name))
	}
	return nil
}

// body remembers how reading a request's body failed, to tell it from a failure of the vault.
type body struct {
	r   io.Reader
	err error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// brokeOff is the answer to a body that could not be read to its end.
func brokeOff(err error) error {
	// What guards the connection words its own errors, such as that the body is too slow.
	e, worded := errors.AsType[*wire.Error](err)
	if worded {
		return e
	}
	if e = wire.AsError(err); e.Status == http.StatusRequestEntityTooLarge {
		return e
	}
	return &wire.Error{
		Status: http.StatusBadRequest, Cause: err,
		Text: "the upload broke off, so what this name stood for before stays",
	}
}

func badForm(text string) error { return &wire.Error{Status: http.StatusBadRequest, Text: text} }

func stored(n int) string {
	if n == 1 {
		return "1 file was stored."
	}
	return fmt.Sprintf("%d files were stored.", n)
}

// notice is what the form did that led here.
func notice(r *http.Request) string {
	query := r.URL.Query()
	if n, err := strconv.Atoi(query.Get("stored")); err == nil {
		return stored(n)
	}
	switch n, err := strconv.Atoi(query.Get("deleted")); {
	case err != nil:
		return ""
	case n == 1:
		return "1 file was deleted."
	default:
		return fmt.Sprintf("%d files were deleted.", n)
	}
}
