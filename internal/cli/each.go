package cli

import (
	"fmt"

	"github.com/kohakuvault/kvault/internal/transact"
)

// eachHelp says in the help of a command what is not one step everywhere.
const eachHelp = `A
vault in a bucket has no transactions: there each key is changed by itself, and
a failure leaves some of them changed.`

// doneBefore adds to the error of changes that were made one by one how many took effect.
func doneBefore(s transact.Store, err error, done int64, all int) error {
	if err == nil || done == 0 || transact.Atomic(s) {
		return err
	}
	return &unfinished{err, fmt.Sprintf("Before that, %d of %s took effect: this vault has no transactions.",
		done, countInWords(int64(all), "change"))}
}
