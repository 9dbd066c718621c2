package page

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	deleteMount       = "/delete/"
	deleteFolderMount = "/delete-folder/"
	// countLimit is how many files of a folder the question before a deletion counts.
	countLimit = 10_000
	// formLimit is the most bytes of a form without files.
	formLimit = 16 << 10
)

// deletion is the question before a file or a folder is deleted.
type deletion struct {
	Key    string
	Folder bool
	// Tag is the version of the file that the question is about.
	Tag string
	// Files and Bytes count what would be deleted; More says that there is more than was counted.
	Files, Bytes int64
	More         bool
	Changed      bool // since an earlier question
}

// Action is where the answer goes.
func (d deletion) Action() string { return entry{Key: d.Key, Folder: d.Folder}.DeleteURL() }

// Back leads to the folder that the file or the folder lies in.
func (d deletion) Back() string { return folderLink(parentOf(d.Key)) }

// delete asks on GET whether a file is to be deleted, and deletes it on POST, unless it is another
// version by now than the one that the question was about.
func (h *Handler) delete(w http.ResponseWriter, r *http.Request) {
	key, err := wire.KeyOf(r.URL, deleteMount)
	switch {
	case err != nil:
	case !access.Of(r.Context()).Write(key):
		err = wire.Forbidden()
	case r.Method == http.MethodPost:
		if err = h.deleteKey(w, r, key); err == nil {
			http.Redirect(w, r, folderLink(parentOf(key), "deleted", "1"), http.StatusSeeOther)
			return
		}
		if errors.Is(err, kvault.ErrTagMismatch) {
			h.askFile(w, r, http.StatusConflict, key)
			return
		}
	default:
		h.askFile(w, r, http.StatusOK, key)
		return
	}
	h.fail(w, r, err)
}

func (h *Handler) deleteKey(w http.ResponseWriter, r *http.Request, key string) error {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		return brokeOff(err)
	}
	if tag := r.PostForm.Get("tag"); tag != "" {
		return h.v.DeleteIf(r.Context(), key, tag)
	}
	found, err := h.v.Delete(r.Context(), key)
	if err == nil && !found {
		err = kvault.ErrNotFound
	}
	return err
}

func (h *Handler) askFile(w http.ResponseWriter, r *http.Request, status int, key string) {
	e, err := h.v.Stat(r.Context(), key)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.ask(w, r, status, deletion{
		Key: key, Tag: e.Tag, Files: 1, Bytes: e.Size, Changed: status != http.StatusOK,
	})
}

// deleteFolder asks on GET whether all files of a folder are to be deleted, and deletes them on
// POST, in one transaction. It asks again if the folder holds another number of files than the
// question named. The prefix must end in a slash: any other names files that lie in no folder of
// that name.
func (h *Handler) deleteFolder(w http.ResponseWriter, r *http.Request) {
	prefix, err := wire.KeyOf(r.URL, deleteFolderMount)
	switch {
	case err != nil:
	case !access.Of(r.Context()).WritePrefix(prefix):
		err = wire.Forbidden()
	case !strings.HasSuffix(prefix, "/"):
		err = badForm("the key of a folder ends with a slash")
	}
	d := deletion{Key: prefix, Folder: true}
	if err == nil {
		err = h.count(r.Context(), &d)
	}
	if err == nil && r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, formLimit)
		if err = r.ParseForm(); err != nil {
			err = brokeOff(err)
		}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if r.Method == http.MethodPost {
		if named := r.PostForm.Get("files"); named != "" && named != strconv.FormatInt(d.Files, 10) {
			d.Changed = true
			h.ask(w, r, http.StatusConflict, d)
			return
		}
		n, err := h.v.DeletePrefix(r.Context(), prefix)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		back := folderLink(parentOf(prefix), "deleted", strconv.FormatInt(n, 10))
		http.Redirect(w, r, back, http.StatusSeeOther)
		return
	}
	h.ask(w, r, http.StatusOK, d)
}

func (h *Handler) count(ctx context.Context, d *deletion) error {
	o := &kvault.ListOptions{Prefix: d.Key, NoMetadata: true, Limit: countLimit + 1}
	for e, err := range h.v.List(ctx, o) {
		if err != nil {
			return err
		}
		if d.More = d.Files == countLimit; d.More {
			break
		}
		d.Files++
		d.Bytes += e.Size
	}
	return nil
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, status int, d deletion) {
	h.render(w, r, status, "delete", frame{
		Title: "Delete", Section: "files", Data: d,
		Crumbs: crumbs(h.o.Name, d.Key, access.Of(r.Context())),
	})
}
