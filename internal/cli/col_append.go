package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

type colAppendFlags struct {
	from   string
	format choice
	text   textFlags
	types  map[string]string
}

func (a *app) colAppendCommand() *cobra.Command {
	var flags colAppendFlags
	cmd := &cobra.Command{
		Use:   "append [NAME...]",
		Short: "Append rows from standard input or a file",
		Long: `Append rows to columns of one length: all rows, or none if one does not fit.

The format is that of the file's name, or --format. Without either it is lines
if there are NAMEs and csv if not: a line has an element for each NAME, with
tabs between them. The other formats name their columns: CSV in its first line,
as name or name:type. NAMEs are then those to read. What gzip compressed is
decompressed.

In csv a null is an empty field without quotes, or --null TEXT. Spaces around a
quoted field are no part of it, and an empty line is a row of a table with one
column only.

--new NAME=TYPE makes a column that does not exist, and the vault too. Elements
of type bytes are base64 in lines, csv and ndjson; vectors, msgpack and cbor are
JSON there.

` + colExitHelp(),
		Example: `  seq 1000 | kvault -f media.kv col append n --new n=i64
  kvault -f media.kv col append --format ndjson < rows.ndjson
  kvault -f media.kv col append --from files.parquet`,
		ValidArgsFunction: a.completeColumns(-1),
		RunE:              a.action(func(ctx context.Context, names []string) error { return a.colAppend(ctx, names, flags) }),
	}
	fs := cmd.Flags()
	fs.StringVarP(&flags.from, "from", "i", "-", "read this `FILE` instead of standard input")
	fs.StringToStringVar(&flags.types, "new", nil, "make the column `NAME=TYPE` if it does not exist; may be repeated")
	formatFlag(cmd, &flags.format)
	flags.text.register(cmd)
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) colAppend(ctx context.Context, names []string, flags colAppendFlags) error {
	if slices.Contains(names, "") {
		return usagef("append: a name is empty")
	}
	fallback := exchange.CSV
	if len(names) > 0 {
		fallback = exchange.Lines
	}
	format, err := formatOf(flags.format, flags.from, fallback)
	if err != nil {
		return err
	}
	delimiter, null, err := flags.text.options(format)
	if err != nil {
		return err
	}
	if format == exchange.Lines && len(names) == 0 {
		return usagef("append: lines do not name their columns; pass the NAMEs")
	}
	in, err := a.wholeInput(ctx, flags.from)
	if err != nil {
		return err
	}
	defer in.close()
	access := changing
	if len(flags.types) > 0 {
		access = creating
		if err := a.rehearseAppend(ctx, in, format, &exchange.ImportOptions{Columns: names, Types: flags.types, Delimiter: delimiter, Null: null}); err != nil {
			return err
		}
	}
	return a.withVault(ctx, access, func(v *kvault.Vault) error {
		b := a.startBar("append", inKeys, -1)
		defer b.finish()
		n, err := exchange.Import(ctx, v, in, format, &exchange.ImportOptions{
			Columns: names, Types: flags.types, Delimiter: delimiter, Null: null,
			Progress: func(rows int64) { b.set(rows, -1) },
		})
		if err != nil {
			return err
		}
		b.finish()
		if a.flags.json {
			return a.emit(struct {
				Appended int64 `json:"appended"`
			}{n})
		}
		a.note("Appended %s.", countInWords(n, "row"))
		return nil
	})
}

// rehearseAppend fails if the rows would be refused by a vault that is not there yet, so that none
// is made for them. There may be more rows than fit in memory.
func (a *app) rehearseAppend(ctx context.Context, in *input, format exchange.Format, o *exchange.ImportOptions) error {
	if !a.missing() {
		return nil
	}
	dir, err := os.MkdirTemp("", "kvault-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	err = a.rehearseIn(ctx, filepath.Join(dir, "trial"), func(v *kvault.Vault) error {
		_, err := exchange.Import(ctx, v, in, format, o)
		return err
	})
	if err != nil {
		return err
	}
	_, err = in.Seek(0, io.SeekStart)
	return err
}

// input is a file to read, removed afterwards if it is a temporary one that still has a name.
type input struct {
	*os.File
	temporary bool
}

func (in *input) close() {
	in.Close()
	if in.temporary {
		os.Remove(in.Name())
	}
}

// wholeInput is the named file, or standard input if it is "-". What arrives bit by bit is collected in a temporary file first,
// so that the vault is not locked while it does.
func (a *app) wholeInput(ctx context.Context, name string) (*input, error) {
	if name != "-" {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case info.IsDir():
			return nil, fmt.Errorf("%s is a directory", name)
		case a.vaultFiles().own(info):
			return nil, fmt.Errorf("%s is the vault itself", name)
		}
		f, err := os.Open(name)
		if err != nil || info.Mode().IsRegular() {
			return &input{f, false}, err
		}
		defer f.Close()
		return spool(f)
	}
	if a.terminal(a.sys.In) {
		a.note("Reading from the terminal; Ctrl-D ends the rows.")
	}
	in := a.stdin(ctx)
	defer in.Close()
	return spool(in)
}

// spool copies all that r has to a temporary file.
func spool(r io.Reader) (*input, error) {
	f, err := os.CreateTemp("", "kvault-*")
	if err != nil {
		return nil, err
	}
	in := &input{f, os.Remove(f.Name()) != nil} // where an open file can lose its name, a killed process leaves nothing
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}
