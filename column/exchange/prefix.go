package exchange

import (
	"context"
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

// headingsBelow are the names, without the prefix, of the columns that begin with it, in the order they were made.
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

// notThere is the text of an error about columns that do not exist.
type notThere string

func (n notThere) Error() string { return string(n) }
func (notThere) Unwrap() error   { return kvault.ErrNotFound }
