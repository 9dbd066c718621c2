package cli

import (
	"context"
	"math"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

// rowFlags say which rows.
type rowFlags struct {
	from, to, head, tail int64
	set                  func(flag string) bool
}

func (r *rowFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.Int64Var(&r.from, "from", 0, "first row, from 0; a negative `N` counts from the end")
	fs.Int64Var(&r.to, "to", 0, "row before which to stop; 0 is the end, a negative `N` counts from it")
	fs.Int64VarP(&r.head, "head", "n", 0, "only the first `N` rows")
	fs.Int64Var(&r.tail, "tail", 0, "only the last `N` rows")
	r.set = fs.Changed
}

func (r *rowFlags) options() (*exchange.ExportOptions, error) {
	head, tail := r.set("head"), r.set("tail")
	switch {
	case head && tail:
		return nil, usagef("--head and --tail are two ends of the rows: name one of them, or use --from and --to")
	case (head || tail) && (r.set("from") || r.set("to")):
		return nil, usagef("--head and --tail say all about which rows, as --from and --to do: use one way or the other")
	case r.head < 0 || r.tail < 0:
		return nil, usagef("--head and --tail are not negative")
	case head && r.head == 0, tail && r.tail == 0:
		return &exchange.ExportOptions{From: math.MaxInt64}, nil
	case head:
		return &exchange.ExportOptions{To: r.head}, nil
	case tail:
		return &exchange.ExportOptions{From: -r.tail}, nil
	}
	return &exchange.ExportOptions{From: r.from, To: r.to}, nil
}

func (a *app) colShowCommand() *cobra.Command {
	var rows rowFlags
	var text textFlags
	cmd := &cobra.Command{
		Use:   "show NAME...",
		Short: "Print rows",
		Long: `Print the elements of columns of one length, a row on a line with tabs between
them, or with --json an object on each line. Elements of type bytes are base64;
vectors, msgpack and cbor are JSON.
On a terminal, characters that would control it are shown as "?".

` + colExitHelp(),
		Example: `  kvault -f media.kv col show name size --head 10
  kvault -f media.kv col show size --from -3`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, names []string) error {
			o, err := rows.options()
			if err != nil {
				return err
			}
			format := exchange.Lines
			if a.flags.json {
				format = exchange.NDJSON
			}
			if o.Delimiter, o.Null, err = text.options(format); err != nil {
				return err
			}
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				_, err := exchange.Export(ctx, v, a.tamed(a.out, a.sys.Out), format, names, o)
				return err
			})
		}),
	}
	text.register(cmd)
	rows.register(cmd)
	return cmd
}

// columnNames accepts one name or more.
func columnNames(cmd *cobra.Command, args []string) error {
	if err := takes(1, -1, 0)(cmd, args); err != nil {
		return err
	}
	for _, name := range args {
		if name == "" {
			return usagef("%s: a name is empty", cmd.Name())
		}
	}
	return nil
}
