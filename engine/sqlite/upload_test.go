package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// startUpload begins an upload of the key "k" in chunks of 1000 bytes.
func startUpload(t testing.TB, s *sqlite.Store) engine.Upload {
	t.Helper()
	o := engine.UploadOptions{Key: "k", Size: -1, ChunkSize: 1000, Expires: time.Hour}
	u, err := s.NewUpload(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// An upload that has expired is swept by the next Open, by Optimize and by the next NewUpload.
func TestExpiredUploadsAreSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	for what, sweep := range map[string]func(s *sqlite.Store) *sqlite.Store{
		"Open": func(s *sqlite.Store) *sqlite.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, path, nil)
		},
		"Optimize": func(s *sqlite.Store) *sqlite.Store {
			if err := s.Optimize(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			return s
		},
		"NewUpload": func(s *sqlite.Store) *sqlite.Store {
			if err := startUpload(t, s).Abort(t.Context()); err != nil {
				t.Fatal(err)
			}
			return s
		},
	} {
		s := open(t, path, nil)
		if err := startUpload(t, s).WriteAt(t.Context(), noise(5500), 300); err != nil {
			t.Fatal(err)
		}
		foreign(t, path, `UPDATE kvault_uploads SET expires = 1`)
		s = sweep(s)
		waitSwept(t, s)
		if got := query(t, path, `SELECT (SELECT count(*) FROM kvault_uploads) + (SELECT count(*) FROM kvault_chunks)`); got != "0" {
			t.Errorf("after %s: %s rows are left", what, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What an upload left in kvault_uploads counts for nothing once its value is gone, as after a sweep
// by an earlier version, and is no hindrance to a later upload with its id.
func TestUploadWithoutValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	u := startUpload(t, s)
	if err := u.WriteAt(t.Context(), noise(2500), 0); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `DELETE FROM kvault_chunks`, `DELETE FROM kvault_values`)
	for range 2 {
		if err := u.WriteAt(t.Context(), noise(10), 0); !errors.Is(err, engine.ErrNoUpload) {
			t.Errorf("WriteAt: %v", err)
		}
		if page, err := s.Uploads(t.Context(), engine.UploadQuery{Limit: 10}); len(page.Uploads) > 0 || err != nil {
			t.Errorf("Uploads: %+v, %v", page, err)
		}
		if err := startUpload(t, s).Abort(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Damage to an upload is reported, never published, and the upload can be aborted.
func TestDamagedUpload(t *testing.T) {
	for what, sql := range map[string]string{
		"extents":       `UPDATE kvault_uploads SET extents = x'0000'`,
		"long extents":  `UPDATE kvault_uploads SET extents = x'00ffffffffffffffff7f'`,
		"user metadata": `UPDATE kvault_uploads SET user = '{'`,
		"no chunk":      `DELETE FROM kvault_chunks WHERE id % 16 = 1`,
		"last chunk":    `DELETE FROM kvault_chunks WHERE id % 16 = 2`,
		"short chunk":   `UPDATE kvault_chunks SET data = x'00' WHERE id % 16 = 1`,
		"no sum":        `UPDATE kvault_chunks SET sum = -1 WHERE id % 16 = 0`,
	} {
		path := filepath.Join(t.TempDir(), "v.kv")
		s := open(t, path, nil)
		u := startUpload(t, s)
		if err := u.WriteAt(t.Context(), noise(2500), 0); err != nil {
			t.Fatal(err)
		}
		foreign(t, path, sql)
		_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Upload: u}})
		if !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: publishing: %v", what, err)
		}
		if err := u.Abort(t.Context()); err != nil {
			t.Errorf("%s: Abort: %v", what, err)
		}
		waitSwept(t, s)
	}
}

// A damaged upload does not hide those before it, and its error names it.
func TestDamagedUploadAmongOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	first, second := startUpload(t, s), startUpload(t, s)
	foreign(t, path, `UPDATE kvault_uploads SET user = '{' WHERE id = (SELECT max(id) FROM kvault_uploads)`)
	page, err := s.Uploads(t.Context(), engine.UploadQuery{Limit: 10})
	if err != nil || len(page.Uploads) != 1 || page.Uploads[0].ID != first.ID() || !page.More {
		t.Fatalf("%+v, %v; want the first, and more", page, err)
	}
	_, err = s.Uploads(t.Context(), engine.UploadQuery{Limit: 10, AfterKey: "k", AfterID: first.ID()})
	if !errors.Is(err, engine.ErrCorrupt) || !strings.Contains(err.Error(), second.ID()) {
		t.Errorf("the damaged one: %v", err)
	}
}

// Reading needs no right to write: uploads are listed and described, and not changed.
func TestUploadsReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	id := startUpload(t, s).ID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, &sqlite.Options{ReadOnly: true})
	u := must[engine.Upload](t)(s.OpenUpload(t.Context(), id))
	if page, err := s.Uploads(t.Context(), engine.UploadQuery{Limit: 10}); len(page.Uploads) != 1 || err != nil {
		t.Errorf("Uploads: %+v, %v", page, err)
	}
	_, err := s.NewUpload(t.Context(), engine.UploadOptions{Key: "k", Size: -1, ChunkSize: 10, Expires: time.Hour})
	for what, err := range map[string]error{
		"NewUpload": err,
		"WriteAt":   u.WriteAt(t.Context(), noise(10), 0),
		"Abort":     u.Abort(t.Context()),
	} {
		if !errors.Is(err, engine.ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Uploads belong to one key-value table. Another table of the file does not have them, and those of
// a table that was dropped stay until they expire.
func TestUploadsOfTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	u := startUpload(t, s)
	other := open(t, path, &sqlite.Options{Table: "other"})
	if _, err := other.OpenUpload(t.Context(), u.ID()); !errors.Is(err, engine.ErrNoUpload) {
		t.Errorf("OpenUpload in another table: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `DROP TABLE kvault`)
	if err := other.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT count(*) FROM kvault_uploads`); got != "1" {
		t.Errorf("%s uploads, want 1", got)
	}
	foreign(t, path, `UPDATE kvault_uploads SET expires = 1`)
	if err := other.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT count(*) FROM kvault_values`); got != "0" {
		t.Errorf("%s values after the expiry", got)
	}
}

// A backup has the unfinished uploads, and they can be gone on with there.
func TestUploadInBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), nil)
	u := startUpload(t, s)
	if err := u.WriteAt(t.Context(), noise(2500), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "copy.kv"), nil); err != nil {
		t.Fatal(err)
	}
	c := open(t, filepath.Join(dir, "copy.kv"), nil)
	again := must[engine.Upload](t)(c.OpenUpload(t.Context(), u.ID()))
	if _, err := c.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Upload: again}}); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(c.Get(t.Context(), "k")); string(got) != string(noise(2500)) {
		t.Errorf("the copy has %d other bytes", len(got))
	}
}
