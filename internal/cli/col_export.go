package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

type colExportFlags struct {
	to     string
	format choice
	text   textFlags
	rows   rowFlags
	typed  bool
}

func (a *app) colExportCommand() *cobra.Command {
	var flags colExportFlags
	cmd := &cobra.Command{
		Use:   "export NAME...|TABLE/",
		Short: "Write columns as CSV, JSON lines, Arrow or Parquet",
		Long: `Write columns of one length as a table, all in one state. The format is that of
FILE's name, or --format; csv if neither says. A name that ends in .gz
compresses csv, tsv, ndjson and lines with gzip. FILE is replaced only when the
whole table has been written. With TABLE/ all columns of the table are written,
under their names without it.

Elements of type bytes are base64 in csv, ndjson and lines, and vectors are
JSON. In Arrow and Parquet vectors are lists of one length. Elements of msgpack
and cbor, and arrays of differing shapes, are JSON everywhere. --typed writes
name:type in the first line of CSV, from which 'col append' makes the columns.

` + rowHelp + "\n\n" + colExitHelp(),
		Example: `  kvault -f media.kv col export name size -o files.parquet
  kvault -f media.kv col export flights/ -o flights.parquet
  kvault -f media.kv col export name size --format csv | head`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE:              a.action(func(ctx context.Context, names []string) error { return a.colExport(ctx, names, flags) }),
	}
	fs := cmd.Flags()
	fs.StringVarP(&flags.to, "output", "o", "", "write this `FILE` instead of standard output")
	fs.BoolVar(&flags.typed, "typed", false, "with csv, write the types too")
	formatFlag(cmd, &flags.format)
	flags.text.register(cmd)
	flags.rows.register(cmd)
	return cmd
}

func (a *app) colExport(ctx context.Context, args []string, flags colExportFlags) error {
	o, err := flags.rows.options()
	if err != nil {
		return err
	}
	o.TypedNames = flags.typed
	format, err := formatOf(flags.format, flags.to, exchange.CSV)
	if err != nil {
		return err
	}
	if flags.typed && format != exchange.CSV && format != exchange.TSV {
		return usagef("export: --typed is for csv and tsv, not for %s: arrow and parquet say the types always, and the others never", format)
	}
	if o.Delimiter, o.Null, err = flags.text.options(format); err != nil {
		return err
	}
	o.Gzip = exchange.GzipName(flags.to)
	binary := format == exchange.Arrow || format == exchange.Arrows || format == exchange.Parquet
	if flags.to == "" && binary && a.terminal(a.sys.Out) {
		return fmt.Errorf(`%s is binary: name a FILE with -o, or pass "-o -" to write it to the terminal all the same`, format)
	}
	return a.withVault(ctx, reading, func(v *kvault.Vault) error {
		names, prefix, err := a.tableArgs(ctx, v, args)
		if err != nil {
			return err
		}
		o.Prefix = prefix
		rows := int64(0)
		write := func(w io.Writer) (err error) {
			if !a.terminal(a.sys.Out) || w != a.out {
				b := a.startProgress("export", inKeys, -1)
				defer b.finish()
				o.Progress = b.set
			}
			rows, err = exchange.Export(ctx, v, w, format, names, o)
			return err
		}
		if flags.to == "" || flags.to == "-" {
			return write(a.out)
		}
		if err := a.writeFile(flags.to, write); err != nil {
			return err
		}
		if a.flags.json {
			return a.emit(struct {
				Exported int64 `json:"exported"`
			}{rows})
		}
		a.note("Wrote %s.", countInWords(rows, "row"))
		return nil
	})
}
