package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

type colAppendFlags struct {
	from          string
	format        choice
	text          textFlags
	types         []string
	infer, dryRun bool
	index         string
}

func (a *app) colAppendCommand() *cobra.Command {
	var flags colAppendFlags
	cmd := &cobra.Command{
		Use:   "append [TABLE/] [NAME...]",
		Short: "Append rows from standard input or a file",
		Long: `Append rows to columns of one length: all rows, or none if one does not fit.
With TABLE/ the rows go to the columns of that table, and NAMEs are given
without it.

The format is that of the file's name, or --format. Without either it is lines
if there are NAMEs, and csv if not. A line has an element for each NAME, with
tabs between them. The other formats name their columns, CSV in its first line
as name or name:type; NAMEs then choose which to read. Input that gzip
compressed is decompressed.

In csv a null is an empty field without quotes, or --null TEXT. Spaces around a
quoted field are not part of it. An empty line is a row only if the table has
one column.

A column that does not exist is made if its type is known, and so is the vault.
The type comes from --new NAME=TYPE, from Arrow, Parquet or name:type in CSV, or
from --infer, which looks at the first 10,000 rows and prints what it finds.
With --dry-run it stores nothing and prints the types as --new flags, to edit
and pass. --new overrides what --infer finds. Numbers with leading zeros are
inferred to be text, and a column with an empty field to be nullable.

Elements of type bytes are base64 in lines, csv and ndjson; vectors, msgpack and
cbor are JSON there.

` + colExitHelp(),
		Example: `  seq 1000 | kvault -f media.kv col append n --new n=i64
  kvault -f media.kv col append flights/ --from flights.csv --infer --dry-run
  kvault -f media.kv col append flights/ --from flights.csv --infer --new tailnum=str
  kvault -f media.kv col append --format ndjson < rows.ndjson`,
		ValidArgsFunction: a.completeColumns(-1),
		RunE:              a.action(func(ctx context.Context, args []string) error { return a.colAppend(ctx, args, flags) }),
	}
	fs := cmd.Flags()
	fs.StringVarP(&flags.from, "from", "i", "-", "read this `FILE` instead of standard input")
	fs.StringArrayVar(&flags.types, "new", nil, "make the column `NAME=TYPE` if it does not exist; may be repeated")
	fs.BoolVar(&flags.infer, "infer", false, "find out the types of columns that do not exist")
	fs.BoolVar(&flags.dryRun, "dry-run", false, "with --infer, print the types and store nothing")
	fs.StringVar(&flags.index, "index", "", "the `NAME` of a first column that has none, as pandas and R write the index")
	formatFlag(cmd, &flags.format)
	flags.text.register(cmd)
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) colAppend(ctx context.Context, args []string, flags colAppendFlags) error {
	o, err := appendOptions(args, flags)
	if err != nil {
		return err
	}
	fallback := exchange.CSV
	if len(o.Columns) > 0 {
		fallback = exchange.Lines
	}
	format, err := formatOf(flags.format, flags.from, fallback)
	if err != nil {
		return err
	}
	if o.Delimiter, o.Null, err = flags.text.options(format); err != nil {
		return err
	}
	if o.Index = flags.index; o.Index != "" && format != exchange.CSV && format != exchange.TSV {
		return usagef("append: --index is for csv and tsv, not for %s", format)
	}
	if format == exchange.Lines && len(o.Columns) == 0 {
		return usagef("append: lines do not name their columns; pass the NAMEs")
	}
	in, err := a.wholeInput(ctx, flags.from)
	if err != nil {
		return err
	}
	defer in.close()
	if err := checkNew(ctx, in, format, o); err != nil {
		return err
	}
	given := o.Types
	if flags.infer {
		if err := a.inferTypes(ctx, in, format, o, flags.dryRun); err != nil || flags.dryRun {
			return err
		}
	}
	if err := a.appendRows(ctx, in, format, o); err != nil {
		return a.explainMisfit(ctx, in, format, o, given, err)
	}
	return nil
}

// appendOptions takes the arguments apart: a table, and the columns to read.
func appendOptions(args []string, flags colAppendFlags) (*exchange.ImportOptions, error) {
	o := &exchange.ImportOptions{Columns: args}
	if len(args) > 0 && isTable(args[0]) {
		o.Prefix, o.Columns = args[0], args[1:]
		if err := checkTableName("append", o.Prefix); err != nil {
			return nil, err
		}
	}
	for _, name := range o.Columns {
		if name == "" {
			return nil, usagef("append: a name is empty")
		}
		if isTable(name) {
			return nil, usagef("append: %q is a table: name one, before the columns to read", name)
		}
	}
	if flags.dryRun && !flags.infer {
		return nil, usagef("append: --dry-run is for --infer")
	}
	var err error
	o.Types, err = newColumns(flags.types)
	return o, err
}

// appendRows imports the table, and tells how many rows there were.
func (a *app) appendRows(ctx context.Context, in *input, format exchange.Format, o *exchange.ImportOptions) error {
	var rows int64
	a.cacheKB = appendCacheKB
	err := a.withColumns(ctx, in, o, func(v *kvault.Vault) (err error) {
		b := a.startProgress("append", inKeys, -1)
		defer b.finish()
		o.Progress = func(rows int64) { b.set(rows, -1) }
		rows, err = exchange.Import(ctx, v, in, format, o)
		return err
	})
	if errors.Is(err, kvault.ErrNotFound) && !errors.Is(err, kvault.ErrNoVault) {
		return fmt.Errorf("%w; --new NAME=TYPE makes a column, --infer all that are missing", err)
	}
	if err != nil {
		return err
	}
	if a.flags.json {
		return a.emit(struct {
			Appended int64 `json:"appended"`
		}{rows})
	}
	a.note("Appended %s.", countInWords(rows, "row"))
	return nil
}

// rewind makes the input be read from its beginning once more.
func (in *input) rewind() error {
	_, err := in.Seek(0, io.SeekStart)
	return err
}

// checkNew refuses --new for a column that the table does not have. What the first object of JSON
// lines lacks may be in a later one.
func checkNew(ctx context.Context, in *input, format exchange.Format, o *exchange.ImportOptions) error {
	names := o.Columns
	if len(o.Types) == 0 || format == exchange.NDJSON && len(names) == 0 {
		return nil
	}
	if len(names) == 0 {
		found, err := exchange.Infer(ctx, in, format, &exchange.InferOptions{ImportOptions: *o, Rows: 1})
		if again := in.rewind(); again != nil {
			return again
		}
		if err != nil {
			return nil // which Import tells better
		}
		for _, c := range found {
			names = append(names, c.Name)
		}
	}
	for name := range o.Types {
		if !slices.Contains(names, name) {
			return usagef("append: --new %s: there is no column %q in the table to append; there are %s", name, name, someOf(names))
		}
	}
	return nil
}

// appendCacheKB is enough for a transaction that writes a great deal and reads none of it again.
const appendCacheKB = 16 << 10
