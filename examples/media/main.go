// Media keeps a folder's files in a vault: the binaries as values, and what is known of them in
// columns beside. Then it answers questions that would otherwise read every file, without reading
// one.
//
//	go run ./examples/media media.kv ~/Pictures
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/signal"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: media VAULT FOLDER")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// large is the size in bytes from which on a file counts as large.
const large = 1 << 20

func run(ctx context.Context, vault, folder string, out io.Writer) (err error) {
	v, err := kvault.Open(ctx, vault, nil)
	if err != nil {
		return err
	}
	defer func() {
		if closing := v.Close(); err == nil {
			err = closing
		}
	}()
	lib, err := openLibrary(ctx, v)
	if err != nil {
		return err
	}
	added, err := lib.ingest(ctx, os.DirFS(folder))
	if err != nil {
		return err
	}
	sizes, err := column.Summarize(ctx, lib.sizes, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d files added; %d files of %d bytes in all\n", added, sizes.Count, sizes.Sum)
	isLarge := func(size int64) bool { return size > large }
	for f, err := range lib.table.Rows(ctx, lib.sizes.Where(ctx, isLarge)) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "large: %s, %d bytes, under the key %s\n", f.Name, f.Size, f.key())
	}
	return nil
}

// file is what is known of a file: a row of the table.
type file struct {
	ID   int64
	Name string
	Size int64
}

func (f *file) key() string { return fmt.Sprintf("blob:%d", f.ID) }

// library is a vault with a table of its files.
type library struct {
	v     *kvault.Vault
	names *column.Column[string]
	sizes *column.Column[int64]
	table *column.Table[file]
}

func openLibrary(ctx context.Context, v *kvault.Vault) (*library, error) {
	ids, err := column.Ensure(ctx, v, "ids", column.Int64, nil)
	if err != nil {
		return nil, err
	}
	names, err := column.Ensure(ctx, v, "names", column.String, nil)
	if err != nil {
		return nil, err
	}
	sizes, err := column.Ensure(ctx, v, "sizes", column.Int64, nil)
	if err != nil {
		return nil, err
	}
	table, err := column.NewTable(
		column.Bind(ids, func(f *file) *int64 { return &f.ID }),
		column.Bind(names, func(f *file) *string { return &f.Name }),
		column.Bind(sizes, func(f *file) *int64 { return &f.Size }),
	)
	return &library{v, names, sizes, table}, err
}

// ingest stores the files that are not in the library yet, and returns how many those were.
func (lib *library) ingest(ctx context.Context, folder fs.FS) (added int, err error) {
	known := map[string]bool{}
	for name, err := range lib.names.All(ctx) {
		if err != nil {
			return 0, err
		}
		known[name] = true
	}
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || known[name] {
			return err
		}
		added++
		return lib.add(ctx, folder, name)
	})
	return added, err
}

// add stores a file and its row in one transaction: there is never the one without the other.
func (lib *library) add(ctx context.Context, folder fs.FS, name string) error {
	src, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	return lib.v.Update(ctx, func(tx *kvault.Tx) error {
		table := lib.table.In(tx)
		id, err := table.Len(ctx)
		if err != nil {
			return err
		}
		f := file{ID: id, Name: name}
		entry, err := tx.PutReader(ctx, f.key(), src, nil)
		if err != nil {
			return err
		}
		f.Size = entry.Size
		return table.Append(ctx, f)
	})
}
