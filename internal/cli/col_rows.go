package cli

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/query"
)

// rowFlags say which rows.
type rowFlags struct {
	from, to, head, tail, sample int64
	where, sort                  string
	descending                   bool
	seed                         uint64
	set                          func(flag string) bool
}

// rowHelp is the part of a command's help that is about these flags.
const rowHelp = `Rows are chosen in this order: --where keeps those that meet its condition,
--sample picks some of them, --sort orders these, and --head, --tail, --from and
--to take a part.

A --where condition is made of comparisons with = != < <= > >= and of "is null"
and "is not null", joined by and, or, not and parentheses. Values are numbers,
'texts' in single quotes, true and false; dates and times are quoted as texts
are, as in '2013-01-31' or '2013-01-31T15:04:05'. A column is named as it is, or
in "double quotes" if its name has characters other than letters, digits and
_./-:. A comparison with null is neither true nor false; one with NaN is false,
except !=.

The columns of --where and --sort must be as long as those shown, but need not
be among them. With TABLE/, name them without the table.

Equal elements keep their order, and NaN and nulls come last, with --desc too.
In memory --where holds no rows, --sample the numbers of N rows, and --sort the
number and the element of each row, or with --head N of a few more than N.`

func (r *rowFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&r.where, "where", "", "only rows of which `CONDITION` is true, as in \"size > 1000 and not name = 'x'\"")
	fs.Int64Var(&r.sample, "sample", 0, "only `N` rows, chosen at random")
	fs.Uint64Var(&r.seed, "seed", 0, "choose the same rows each time that `S` is the same")
	fs.StringVar(&r.sort, "sort", "", "sort rows by `COLUMN`")
	fs.BoolVar(&r.descending, "desc", false, "with --sort, put the largest first")
	fs.Int64Var(&r.from, "from", 0, "first row, from 0; a negative `N` counts from the end")
	fs.Int64Var(&r.to, "to", 0, "row before which to stop; 0 is the end, a negative `N` counts from it")
	fs.Int64VarP(&r.head, "head", "n", 0, "only the first `N` rows")
	fs.Int64Var(&r.tail, "tail", 0, "only the last `N` rows")
	r.set = fs.Changed
}

// options are those for an export of the rows.
func (r *rowFlags) options() (*exchange.ExportOptions, error) {
	o, err := r.bounds()
	if err != nil {
		return nil, err
	}
	switch {
	case r.set("seed") && !r.set("sample"):
		return nil, usagef("--seed goes with --sample")
	case r.descending && !r.set("sort"):
		return nil, usagef("--desc goes with --sort")
	case r.sample < 0:
		return nil, usagef("--sample is not negative")
	case r.set("sample") && r.sample == 0:
		o.From = math.MaxInt64
		return o, nil
	case !r.set("where") && !r.set("sample") && !r.set("sort"):
		return o, nil
	}
	s := &query.Selection{Sample: r.sample, Seed: r.seed, Sort: r.sort, Descending: r.descending, From: o.From, To: o.To}
	if !r.set("seed") {
		s.Seed = rand.Uint64()
	}
	if r.set("where") {
		if s.Where, err = query.Parse(r.where); err != nil {
			return nil, usagef("%w", err)
		}
	}
	o.Rows = func(ctx context.Context, tx *kvault.Tx, length int64) iter.Seq2[int64, error] {
		s.Prefix = o.Prefix
		return s.Rows(ctx, tx, length)
	}
	return o, nil
}

// bounds are the first and the last row that the flags name.
func (r *rowFlags) bounds() (*exchange.ExportOptions, error) {
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
