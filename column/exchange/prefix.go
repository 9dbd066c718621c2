package exchange

import (
	"context"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// headed is a source that the file calls by another name than the vault.
type headed struct {
	source
	heading string
}

func (h headed) name() string { return h.heading }

// headingsBelow are the names, without the prefix, of the columns that begin with it, in the order
// they were made.
func headingsBelow(ctx context.Context, tx *kvault.Tx, prefix string) (names []string, err error) {
	list, err := column.List(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, info := range list {
		if rest, below := strings.CutPrefix(info.Name, prefix); below {
			names = append(names, rest)
		}
	}
	if len(names) == 0 {
		return nil, failed("export", prefix, notThere("there are no columns with this prefix"))
	}
	return names, nil
}

// wholeTable reports an error if rows are for some columns of a table only: the others would be
// left behind, and the table would no longer be one.
func wholeTable(ctx context.Context, tx *kvault.Tx, prefix string, names []string) error {
	if prefix == "" {
		return nil
	}
	list, err := column.List(ctx, tx)
	if err != nil {
		return err
	}
	for _, info := range list {
		if rest, below := strings.CutPrefix(info.Name, prefix); below && !slices.Contains(names, rest) {
			return invalid(info.Name, "the table has this column, and the rows to append do not: put it there, or change the columns by their whole names")
		}
	}
	return nil
}

// notThere is the text of an error about columns that do not exist.
type notThere string

func (n notThere) Error() string { return string(n) }
func (notThere) Unwrap() error   { return kvault.ErrNotFound }
