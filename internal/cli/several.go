package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kohakuvault/kvault"
)

// isFolder reports whether an argument names a folder or a directory by the slash at its end.
func isFolder(arg string) bool {
	return strings.HasSuffix(arg, "/") || strings.HasSuffix(arg, string(filepath.Separator))
}

// lastPart is what follows the last slash of a key.
func lastPart(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// putFiles stores files in a folder under their own names.
func (a *app) putFiles(ctx context.Context, folder string, files []string, flags putFlags) error {
	o, err := flags.options()
	switch {
	case err != nil:
		return err
	case !isFolder(folder):
		return usagef("put: several files go into a folder: end KEY with a slash, %q", folder+"/")
	case o.IfTag != "":
		return usagef("put: --if-tag is of one key")
	}
	keys := make(map[string]string, len(files)) // and the files that they come from
	for _, file := range files {
		if file == "" || file == "-" {
			return usagef("put: a FILE among several is empty or standard input")
		}
		key := folder + filepath.Base(file)
		if other, twice := keys[key]; twice {
			return usagef("put: %s and %s would both become %s", other, file, asPrinted(key))
		}
		keys[key] = file
	}
	s := summary{verb: verb{"store", "stored"}}
	files = a.readable(ctx, &s, files)
	if len(files) == 0 {
		return &exitError{code: exitSome, err: fmt.Errorf("%d files failed", s.failed), told: true}
	}
	err = a.withVault(ctx, creating, func(v *kvault.Vault) error {
		for _, file := range files {
			one := *o
			e, err := a.putFile(ctx, v, folder+filepath.Base(file), file, flags.as.value, &one)
			switch {
			case err == nil:
				s.add(e.Size)
			case ctx.Err() != nil || isFatal(err):
				return err
			default:
				a.addFailed(&s, "put", folder+filepath.Base(file), err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.finish(&s)
}

// readable returns those of the files that can be opened, so that no vault is made for nothing, and
// counts the others as failed.
func (a *app) readable(ctx context.Context, s *summary, files []string) (good []string) {
	for _, file := range files {
		src, err := a.openSource(ctx, file)
		if err != nil {
			a.addFailed(s, "put", file, err)
			continue
		}
		src.Close()
		good = append(good, file)
	}
	return good
}

func (a *app) putFile(
	ctx context.Context, v *kvault.Vault, key, file, as string, o *kvault.PutOptions,
) (kvault.Entry, error) {
	src, err := a.openSource(ctx, file)
	if err != nil {
		return kvault.Entry{}, err
	}
	defer src.Close()
	src.describe(key, o)
	in, err := a.prepare(ctx, key, as, src, o)
	if err != nil {
		return kvault.Entry{}, err
	}
	return a.storeSource(ctx, v, key, src, in, as, o)
}

// getFiles writes values to files of a directory, under the last part of their keys.
func (a *app) getFiles(ctx context.Context, keys []string, dir string, flags getFlags) error {
	switch {
	case !isFolder(dir):
		return usagef("get: several keys go into a directory: end it with a slash, %q", dir+"/")
	case flags.typed || flags.byteRange != "":
		return usagef("get: --typed and --range are of one key")
	}
	names := make(map[string]string, len(keys)) // and the keys that they come from
	for _, key := range keys {
		name, err := localName(lastPart(key))
		if err != nil {
			return usagef("get: %s: %w", asPrinted(key), err)
		}
		if other, twice := names[name]; twice {
			return usagef("get: %s and %s would both become %s", asPrinted(other), asPrinted(key), name)
		}
		names[name] = key
	}
	if info, err := os.Stat(dir); err != nil {
		return err
	} else if !info.IsDir() {
		return usagef("get: %s is no directory", dir)
	}
	s := summary{verb: verb{"write", "written"}}
	err := a.withVault(ctx, reading, func(v *kvault.Vault) error {
		for _, key := range keys {
			size, err := a.getFile(ctx, v, key, filepath.Join(dir, lastPart(key)))
			switch {
			case err == nil:
				s.add(size)
			case ctx.Err() != nil || isFatal(err):
				return err
			default:
				a.addFailed(&s, "get", key, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.finish(&s)
}

// getFile writes a value to a file, and returns its size.
func (a *app) getFile(ctx context.Context, v *kvault.Vault, key, to string) (int64, error) {
	r, err := v.NewReader(ctx, key)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	err = a.writeFile(to, func(w io.Writer) error { return a.copyOut(w, r, r.Size()) })
	if err != nil || !a.flags.json {
		return r.Size(), err
	}
	return r.Size(), a.emit(jsonEntry(r.Entry()))
}
