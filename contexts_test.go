package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/ctxtest"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// verbs are the methods that a Vault and a Tx share.
type verbs interface {
	AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error)
	Clear(ctx context.Context) (int64, error)
	GetTo(ctx context.Context, key string, w io.Writer) (int64, error)
	Copy(ctx context.Context, from, to string, o *kvault.CopyOptions) (kvault.Entry, error)
	CopyPrefix(ctx context.Context, from, to string, o *kvault.PrefixOptions) (int64, error)
	Count(ctx context.Context, o *kvault.ListOptions) (int64, error)
	Delete(ctx context.Context, key string) (bool, error)
	DeleteIf(ctx context.Context, key, tag string) error
	DeletePrefix(ctx context.Context, prefix string) (int64, error)
	Exists(ctx context.Context, key string) (bool, error)
	FS(ctx context.Context) fs.FS
	Get(ctx context.Context, key string) ([]byte, error)
	GetItem(ctx context.Context, key string) (kvault.Item, error)
	GetMany(ctx context.Context, keys ...string) (map[string][]byte, error)
	GetOr(ctx context.Context, key string, def []byte) ([]byte, error)
	GetRange(ctx context.Context, key string, off, n int64) ([]byte, error)
	Items(ctx context.Context, o *kvault.ListOptions) iter.Seq2[kvault.Item, error]
	Keys(ctx context.Context, o *kvault.ListOptions) iter.Seq2[string, error]
	Len(ctx context.Context) (int64, error)
	List(ctx context.Context, o *kvault.ListOptions) iter.Seq2[kvault.Entry, error]
	NewReader(ctx context.Context, key string) (*kvault.Reader, error)
	NewWriter(ctx context.Context, key string, o *kvault.PutOptions) (*kvault.Writer, error)
	Pop(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	PutAll(ctx context.Context, items iter.Seq2[string, []byte]) error
	PutFile(ctx context.Context, key, path string, o *kvault.PutOptions) (kvault.Entry, error)
	PutReader(ctx context.Context, key string, r io.Reader, o *kvault.PutOptions) (kvault.Entry, error)
	PutWith(ctx context.Context, key string, value []byte, o *kvault.PutOptions) (kvault.Entry, error)
	Rename(ctx context.Context, from, to string, o *kvault.RenameOptions) error
	RenamePrefix(ctx context.Context, from, to string, o *kvault.PrefixOptions) (int64, error)
	SetDefault(ctx context.Context, key string, value []byte) (stored []byte, existed bool, err error)
	SetMetadata(ctx context.Context, key string, o *kvault.MetadataOptions) (kvault.Entry, error)
	Stat(ctx context.Context, key string) (kvault.Entry, error)
	Tag(ctx context.Context, key string) (string, error)
	Values(ctx context.Context, o *kvault.ListOptions) iter.Seq2[[]byte, error]
}

// contextKeys is how many keys stock stores; one has a value in chunks.
const contextKeys = 150

var largeValue = bytes.Repeat([]byte("0123456789abcdef"), 2000)

// stock stores the keys that contextCalls name.
func stock(t *testing.T, s verbs) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range contextKeys - 2 {
		if err := s.Put(ctx, fmt.Sprintf("many/%03d", i), []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PutReader(ctx, "large", bytes.NewReader(largeValue), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, "k", []byte("value")); err != nil {
		t.Fatal(err)
	}
}

// right makes a wrong answer without an error an error.
func right(err error, got, want any) error {
	if err == nil && !reflect.DeepEqual(got, want) {
		return fmt.Errorf("answered %.80v, want %.80v", got, want)
	}
	return err
}

// counted is how many items a listing yields.
func counted[T any](seq iter.Seq2[T, error]) error {
	n := 0
	for _, err := range seq {
		if err != nil {
			return err
		}
		n++
	}
	return right(nil, n, contextKeys)
}

// readVerbs are calls that read, each with a check of its answer.
var readVerbs = map[string]func(ctx context.Context, s verbs) error{
	"AppendValue": func(ctx context.Context, s verbs) error {
		got, err := s.AppendValue(ctx, nil, "k")
		return right(err, string(got), "value")
	},
	"GetTo": func(ctx context.Context, s verbs) error {
		var b bytes.Buffer
		_, err := s.GetTo(ctx, "large", &b)
		return right(err, b.Len(), len(largeValue))
	},
	"Count": func(ctx context.Context, s verbs) error {
		n, err := s.Count(ctx, &kvault.ListOptions{Prefix: "many/"})
		return right(err, n, int64(contextKeys-2))
	},
	"Exists": func(ctx context.Context, s verbs) error {
		ok, err := s.Exists(ctx, "k")
		return right(err, ok, true)
	},
	"Get": func(ctx context.Context, s verbs) error {
		got, err := s.Get(ctx, "large")
		return right(err, len(got), len(largeValue))
	},
	"FS": func(ctx context.Context, s verbs) error { return statAndRead(s.FS(ctx)) },
	"GetItem": func(ctx context.Context, s verbs) error {
		it, err := s.GetItem(ctx, "large")
		return right(err, string(it.Value), string(largeValue))
	},
	"GetMany": func(ctx context.Context, s verbs) error {
		m, err := s.GetMany(ctx, "k", "large", "none")
		return right(err, len(m), 2)
	},
	"GetOr": func(ctx context.Context, s verbs) error {
		got, err := s.GetOr(ctx, "k", []byte("default"))
		return right(err, string(got), "value")
	},
	"GetRange": func(ctx context.Context, s verbs) error {
		got, err := s.GetRange(ctx, "large", 16, 2000)
		return right(err, string(got), string(largeValue[:2000]))
	},
	"Items":  func(ctx context.Context, s verbs) error { return counted(s.Items(ctx, nil)) },
	"Keys":   func(ctx context.Context, s verbs) error { return counted(s.Keys(ctx, nil)) },
	"List":   func(ctx context.Context, s verbs) error { return counted(s.List(ctx, nil)) },
	"Values": func(ctx context.Context, s verbs) error { return counted(s.Values(ctx, nil)) },
	"Len": func(ctx context.Context, s verbs) error {
		n, err := s.Len(ctx)
		return right(err, n, int64(contextKeys))
	},
	"NewReader": func(ctx context.Context, s verbs) error {
		r, err := s.NewReader(ctx, "large")
		if err != nil {
			return err
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		return right(err, len(got), len(largeValue))
	},
	"Stat": func(ctx context.Context, s verbs) error {
		e, err := s.Stat(ctx, "k")
		return right(err, e.Size, int64(5))
	},
	"Tag": func(ctx context.Context, s verbs) error {
		tag, err := s.Tag(ctx, "k")
		return right(err, len(tag), 16)
	},
}

// writeVerbs are calls that write, each with a check of its answer. They find what stock has
// stored.
var writeVerbs = map[string]func(ctx context.Context, s verbs) error{
	"Clear": func(ctx context.Context, s verbs) error {
		n, err := s.Clear(ctx)
		return right(err, n, int64(contextKeys))
	},
	"Copy": func(ctx context.Context, s verbs) error {
		e, err := s.Copy(ctx, "large", "new", nil)
		return right(err, e.Size, int64(len(largeValue)))
	},
	"CopyPrefix": func(ctx context.Context, s verbs) error {
		n, err := s.CopyPrefix(ctx, "many/", "new/", nil)
		return right(err, n, int64(contextKeys-2))
	},
	"Delete": func(ctx context.Context, s verbs) error {
		found, err := s.Delete(ctx, "k")
		return right(err, found, true)
	},
	"DeleteIf": func(ctx context.Context, s verbs) error {
		e, err := s.Stat(context.Background(), "k")
		if err != nil {
			return err
		}
		return s.DeleteIf(ctx, "k", e.Tag)
	},
	"DeletePrefix": func(ctx context.Context, s verbs) error {
		n, err := s.DeletePrefix(ctx, "many/")
		return right(err, n, int64(contextKeys-2))
	},
	"NewWriter": func(ctx context.Context, s verbs) error {
		w, err := s.NewWriter(ctx, "new", nil)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Write(largeValue); err != nil {
			return err
		}
		return w.Close()
	},
	"Pop": func(ctx context.Context, s verbs) error {
		got, err := s.Pop(ctx, "large")
		return right(err, len(got), len(largeValue))
	},
	"Put": func(ctx context.Context, s verbs) error { return s.Put(ctx, "new", []byte("value")) },
	"PutAll": func(ctx context.Context, s verbs) error {
		return s.PutAll(ctx, maps.All(map[string][]byte{"new": nil}))
	},
	"PutFile": func(ctx context.Context, s verbs) error {
		_, err := s.PutFile(ctx, "new", "go.mod", nil)
		return err
	},
	"PutReader": func(ctx context.Context, s verbs) error {
		e, err := s.PutReader(ctx, "new", bytes.NewReader(largeValue), nil)
		return right(err, e.Size, int64(len(largeValue)))
	},
	"PutWith": func(ctx context.Context, s verbs) error {
		_, err := s.PutWith(ctx, "new", nil, &kvault.PutOptions{IfAbsent: true})
		return err
	},
	"Rename": func(ctx context.Context, s verbs) error {
		return s.Rename(ctx, "k", "new", &kvault.RenameOptions{NoReplace: true})
	},
	"RenamePrefix": func(ctx context.Context, s verbs) error {
		n, err := s.RenamePrefix(ctx, "many/", "new/", nil)
		return right(err, n, int64(contextKeys-2))
	},
	"SetMetadata": func(ctx context.Context, s verbs) error {
		e, err := s.SetMetadata(ctx, "large", &kvault.MetadataOptions{ContentType: "text/new"})
		return right(err, e.ContentType, "text/new")
	},
	"SetDefault": func(ctx context.Context, s verbs) error {
		_, existed, err := s.SetDefault(ctx, "new", []byte("value"))
		return right(err, existed, false)
	},
}

// vaultCalls are the calls of a vault alone, readVerbs and writeVerbs not included. Those that
// write do so only to what they make.
func vaultCalls(t *testing.T, v *kvault.Vault) map[string]func(ctx context.Context) error {
	calls := map[string]func(ctx context.Context) error{
		"Backup": func(ctx context.Context) error {
			return v.Backup(ctx, filepath.Join(t.TempDir(), "backup.kv"), nil)
		},
		"CacheAppends": func(ctx context.Context) error {
			_, err := unexported.CacheAppends(ctx, v, appended{target: "col", size: 1})
			return err
		},
		"Check": func(ctx context.Context) error {
			r, err := v.Check(ctx, nil)
			return right(err, r.Problems, int64(0))
		},
		"DisableCache": func(ctx context.Context) error {
			if err := v.EnableCache(context.Background(), nil); err != nil {
				return err
			}
			return v.DisableCache(ctx)
		},
		"BackupTo":     func(ctx context.Context) error { return v.BackupTo(ctx, io.Discard, nil) },
		"DiscardCache": func(ctx context.Context) error { _, err := v.DiscardCache(ctx); return err },
		"DiscardCached": func(ctx context.Context) error {
			_, err := v.DiscardCached(ctx, kvault.CacheEntry{Key: "none"})
			return err
		},
		"EnableCache": func(ctx context.Context) error { return v.EnableCache(ctx, nil) },
		"FlushCache":  func(ctx context.Context) error { _, err := v.FlushCache(ctx); return err },
		"NewDetachedReader": func(ctx context.Context) error {
			r, err := v.NewDetachedReader(ctx, "large")
			if err != nil {
				return err
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			return right(err, len(got), len(largeValue))
		},
		"Optimize": func(ctx context.Context) error { return v.Optimize(ctx, nil) },
		"Relayout": func(ctx context.Context) error { return v.Relayout(ctx, engine.Chunks, nil) },
		"Shrink":   func(ctx context.Context) error { _, err := v.Shrink(ctx, time.Minute); return err },
		"Stats": func(ctx context.Context) error {
			_, err := v.Stats(ctx)
			return err
		},
		"Update": func(ctx context.Context) error {
			return v.Update(ctx, func(tx *kvault.Tx) error { return tx.Put(ctx, "made", nil) })
		},
		"View": func(ctx context.Context) error {
			return v.View(ctx, func(tx *kvault.Tx) error {
				ok, err := tx.Exists(ctx, "k")
				return right(err, ok, true)
			})
		},
		"WithCache": func(ctx context.Context) error {
			return v.WithCache(ctx, nil, func() error { return v.Put(ctx, "made", nil) })
		},
	}
	maps.Copy(calls, uploadCalls(t, v))
	for _, name := range []string{"Backup", "BackupTo", "Optimize", "Relayout", "Shrink"} { // what not every engine has
		if errors.Is(calls[name](t.Context()), kvault.ErrUnsupported) {
			delete(calls, name)
		}
	}
	return calls
}

// uploadCalls are the calls of a vault for uploads.
func uploadCalls(t *testing.T, v *kvault.Vault) map[string]func(ctx context.Context) error {
	held, err := v.NewUpload(t.Context(), "held", nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func(ctx context.Context) error{
		"NewUpload": func(ctx context.Context) error {
			u, err := v.NewUpload(ctx, "made", nil)
			if err == nil {
				_, err = u.ReadFrom(ctx, bytes.NewReader(largeValue), 0)
			}
			if err == nil {
				err = u.SetSize(ctx, int64(len(largeValue)))
			}
			if err == nil {
				err = u.SetMetadata(ctx, nil)
			}
			if err != nil {
				return err
			}
			e, err := u.Publish(ctx, nil)
			return right(err, e.Size, int64(len(largeValue)))
		},
		"OpenUpload": func(ctx context.Context) error {
			u, err := v.OpenUpload(ctx, held.ID())
			if err != nil {
				return err
			}
			info, err := u.Info(ctx)
			return right(err, info.Key, "held")
		},
		"Uploads": func(ctx context.Context) error {
			n := 0
			for _, err := range v.Uploads(ctx, "held") {
				if err != nil {
					return err
				}
				n++
			}
			return right(nil, n, 1)
		},
		"PublishUpload": func(ctx context.Context) error {
			u, err := v.NewUpload(context.Background(), "made", nil)
			if err != nil {
				return err
			}
			return v.Update(ctx, func(tx *kvault.Tx) error { _, err := tx.PublishUpload(ctx, u, nil); return err })
		},
	}
}

// statAndRead uses a file system.
func statAndRead(fsys fs.FS) error {
	if _, err := fs.Stat(fsys, "many/001"); err != nil {
		return err
	}
	got, err := fs.ReadFile(fsys, "large")
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(fsys, "many")
	if err != nil {
		return err
	}
	return right(nil, len(got)+len(entries), len(largeValue)+contextKeys-2)
}

// appended is an element on its way to a column that is taken for there.
type appended struct {
	target string
	size   int64
	bound  bool
}

func (a appended) Target() string                                   { return a.target }
func (a appended) Column() string                                   { return a.target }
func (a appended) Groups() []string                                 { return nil }
func (a appended) Size() int64                                      { return a.size }
func (a appended) Follows(_, waiting engine.Append) bool            { return a.bound || waiting != nil }
func (a appended) Join(engine.Append) engine.Append                 { return a }
func (a appended) Check(ctx context.Context, _ engine.Arrays) error { return nil }
func (a appended) Write(ctx context.Context, _ engine.Arrays) error { return nil }
func (a appended) Bind(context.Context, engine.Arrays) (engine.Append, error) {
	a.bound = true
	return a, nil
}

// TestContextCallsAreAll holds the tables above against the methods that there are.
func TestContextCallsAreAll(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	alone := vaultCalls(t, v)
	for _, typ := range []reflect.Type{reflect.TypeFor[*kvault.Vault](), reflect.TypeFor[*kvault.Tx]()} {
		for m := range typ.Methods() {
			if m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() {
				continue
			}
			if readVerbs[m.Name] == nil && writeVerbs[m.Name] == nil && alone[m.Name] == nil {
				t.Errorf("%v.%s is not tried with contexts that end", typ, m.Name)
			}
		}
	}
}

// onContextVaults runs a test on vaults of each engine, with the cache off and on.
func onContextVaults(t *testing.T, run func(t *testing.T, v *kvault.Vault)) {
	o := &kvault.Options{ChunkSize: 4096, OneRowLimit: 8192}
	for _, cached := range []bool{false, true} {
		for _, kind := range []string{"sqlite", "memory"} {
			t.Run(fmt.Sprintf("%s, cache %v", kind, cached), func(t *testing.T) {
				v := newOn(t, mem.New(), o)
				if kind == "sqlite" {
					var err error
					if v, err = kvault.Open(t.Context(), filepath.Join(t.TempDir(), "v.kv"), o); err != nil {
						t.Fatal(err)
					}
				}
				t.Cleanup(func() {
					if err := v.Close(); err != nil {
						t.Error(err)
					}
				})
				if cached {
					enable(t, v, 1<<20, 1<<20)
				}
				stock(t, v)
				run(t, v)
			})
		}
	}
}

func TestContextEndedBefore(t *testing.T) {
	onContextVaults(t, func(t *testing.T, v *kvault.Vault) {
		for _, table := range []map[string]func(context.Context, verbs) error{readVerbs, writeVerbs} {
			for name, call := range table {
				ctxtest.Before(t, name, func(ctx context.Context) error { return call(ctx, v) })
				err := v.Update(t.Context(), func(tx *kvault.Tx) error {
					ctxtest.Before(t, "Tx."+name, func(ctx context.Context) error { return call(ctx, tx) })
					return nil
				})
				if err != nil {
					t.Errorf("Update around %s: %v", name, err)
				}
			}
		}
		for name, call := range vaultCalls(t, v) {
			ctxtest.Before(t, name, call)
		}
		if n, err := v.Len(t.Context()); n != contextKeys || err != nil {
			t.Errorf("%d keys, %v; want %d", n, err, contextKeys)
		}
	})
}

func TestContextEndsDuring(t *testing.T) {
	onContextVaults(t, func(t *testing.T, v *kvault.Vault) {
		for name, call := range readVerbs {
			ctxtest.During(t, name, func(ctx context.Context) error { return call(ctx, v) })
			ctxtest.During(t, "Tx."+name, func(ctx context.Context) error {
				return v.View(context.Background(), func(tx *kvault.Tx) error { return call(ctx, tx) })
			})
		}
		for name, call := range writeVerbs {
			ctxtest.During(t, name, func(ctx context.Context) error {
				stock(t, v)
				return call(ctx, v)
			})
			ctxtest.During(t, "Tx."+name, func(ctx context.Context) error {
				return v.Update(context.Background(), func(tx *kvault.Tx) error {
					stock(t, tx)
					return call(ctx, tx)
				})
			})
		}
		stock(t, v)
		if _, err := v.FlushCache(t.Context()); err != nil { // DiscardCache is one of the calls
			t.Fatal(err)
		}
		for name, call := range vaultCalls(t, v) {
			ctxtest.During(t, name, func(ctx context.Context) error {
				if _, err := v.Delete(context.Background(), "made"); err != nil {
					return err
				}
				return call(ctx)
			})
		}
	})
}

// TestContextEndsWaiting has the contexts of writers end while a transaction keeps them waiting.
func TestContextEndsWaiting(t *testing.T) {
	onContextVaults(t, func(t *testing.T, v *kvault.Vault) {
		alone := vaultCalls(t, v)
		err := v.Update(t.Context(), func(*kvault.Tx) error {
			for _, cause := range ctxtest.Causes {
				for name, call := range writeVerbs {
					ctxtest.Check(t, name, call(ctxtest.Waiting(t, cause), v), cause)
				}
				ctxtest.Check(t, "Update", alone["Update"](ctxtest.Waiting(t, cause)), cause)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if n, err := v.Len(t.Context()); n != contextKeys || err != nil {
			t.Errorf("%d keys, %v; want %d", n, err, contextKeys)
		}
	})
}

func TestContextEndsDuringOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	ctxtest.During(t, "Open", func(ctx context.Context) error {
		v, err := kvault.Open(ctx, path, nil)
		if err != nil {
			return err
		}
		return v.Close()
	})
	ctxtest.During(t, "Salvage", func(ctx context.Context) error {
		_, err := kvault.Salvage(ctx, path, filepath.Join(t.TempDir(), "salvaged.kv"), nil)
		return err
	})
}

func TestCauseIsNamed(t *testing.T) {
	v := newVault(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("the upload: %w", kvault.ErrNotFound))
	_, err := v.Exists(ctx, "k")
	if want := `exists "k": context canceled: the upload: key not found`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
