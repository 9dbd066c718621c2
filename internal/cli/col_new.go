package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

func (a *app) colNewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new NAME TYPE",
		Short: "Make a column",
		Long: `Make an empty column for elements of TYPE. The vault is made if it does not
exist.

  i64, f64            integers and floating-point numbers of 64 bits
  bool                true or false
  date                days, written 2006-01-31
  timestamp           dates with a time of day and without a time zone; :s,
                      :ms, :us or :ns may follow for the unit, else it is us
  timestamp:UNIT:utc  instants, as in timestamp:ms:utc
  bytes, bytes:N      bytes, of any number or N each
  str, str:N          text, of any length or at most N bytes each; an encoding
                      may follow: utf8, utf16le, utf16be, ascii or latin1
  vec:ELEM:N          vectors of N numbers: f32, f64, i8 to i64 or u8 to u64;
                      more dimensions may follow, as in vec:u8:28:28
  vec:ELEM            arrays of numbers, each of a shape of its own
  msgpack, cbor       values of any form, given and shown as JSON; with :N they
                      have at most N bytes each

With :null at its end, as in i64:null, a type is that of a nullable column.

` + exitHelp(),
		Example: `  kvault -f media.kv col new size i64
  kvault -f media.kv col new taken timestamp:us:utc:null
  kvault -f media.kv col new embedding vec:f32:768`,
		Args: takes(2, 2, 0),
		ValidArgsFunction: a.completeInTurn(fixedDirective(cobra.ShellCompDirectiveNoFileComp),
			cobra.FixedCompletions([]cobra.Completion{"i64", "f64", "bool", "date", "timestamp", "timestamp:", "bytes", "bytes:", "str", "str:", "vec:", "msgpack", "cbor"}, cobra.ShellCompDirectiveNoFileComp)),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if isTable(args[0]) && args[0][0] != '/' {
				return usagef(`new: %q is the name of a table, which its columns make: name one, as in %sNAME`, args[0], args[0])
			}
			if err := checkTableName("new", args[0]); err != nil {
				return err
			}
			if !column.KnownType(args[1]) {
				return unknownType("new", args[1])
			}
			if a.missing() {
				if err := a.tryInMemory(ctx, func(v *kvault.Vault) error {
					_, err := column.CreateAny(ctx, v, args[0], args[1], nil)
					return err
				}); err != nil {
					return err
				}
			}
			return a.withVault(ctx, creating, func(v *kvault.Vault) error {
				d, err := column.CreateAny(ctx, v, args[0], args[1], nil)
				if err != nil || !a.flags.json {
					return err
				}
				return a.emit(vaultjson.Column{Name: d.Name(), Type: d.Type()})
			})
		}),
	}
	a.flags.registerWrite(cmd)
	return cmd
}

// unknownType refuses a type that no column can have.
func unknownType(where, typ string) error {
	return usagef("%s: there is no type %q: it is one of %s, also with :null at the end; 'kvault col new --help' explains them", where, typ, strings.Join(column.Types, ", "))
}
