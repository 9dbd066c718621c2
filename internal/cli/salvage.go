package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) salvageCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "salvage SRC DST",
		GroupID: groupVault,
		Short:   "Copy what can be read of a damaged vault into a new one",
		Long: `Copy every value and column of the vault file SRC that can be read whole into
the new file DST. SRC is only read, without SQLite, so no damage can keep it
from being opened; nobody may write it meanwhile. DST must not exist.

Every loss is one line on standard output: the key, column or table, a tab,
'lost' or 'doubtful', a tab and why. What is doubtful is in DST all the same. If
anything is lost or doubtful the exit code is 12, and DST is there. --table
brings over only that table of keys.

Values are held against their checksums, and keys and names of columns against
their index: where that is damaged, a key that nothing confirms is doubtful,
since it may have been altered. If nothing is left of the index of keys, one
line says so for its table. A value that lost its checksum, or never had one, is
doubtful, too; in a table where no value has one, one line says so. Columns have
no checksums, so that bytes altered within a column go unseen.

` + exitHelp(),
		Example: `  kvault salvage broken.kv new.kv
  kvault salvage broken.kv new.kv --json > losses.jsonl`,
		Args: takes(2, 2, 0),
		RunE: a.action(func(ctx context.Context, args []string) error { return a.salvage(ctx, args[0], args[1]) }),
	}
}

func (a *app) salvage(ctx context.Context, src, dst string) error {
	for _, name := range []string{src, dst} {
		if schemeOf(name) != "" {
			return usagef("salvage: SRC and DST are files; 'kvault check' names what is damaged in a " +
				"bucket, and 'kvault copy' copies the rest")
		}
	}
	b := a.startProgress("salvage", inKeys, 0)
	defer b.finish()
	var printing error
	report, err := kvault.Salvage(ctx, src, dst, &kvault.SalvageOptions{
		Table:    a.flags.table,
		Progress: func(done int64) { b.set(done, 0) },
		OnLoss: func(l kvault.Loss) {
			if err := a.printLoss(l); printing == nil {
				printing = err
			}
		},
	})
	b.finish()
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		return &openError{keyed.Err}
	}
	switch {
	case err != nil:
		return err
	case printing != nil:
		return printing
	}
	if err := a.salvaged(report); err != nil {
		return err
	}
	if report.Losses > 0 {
		return &exitError{code: exitCorrupt, err: errors.New(countInWords(report.Losses, "lost or doubtful item")), told: true}
	}
	return nil
}

func (a *app) salvaged(r *kvault.SalvageReport) error {
	if a.flags.json {
		return a.emit(struct {
			Keys     int64 `json:"keys"`
			Bytes    int64 `json:"bytes"`
			Columns  int64 `json:"columns"`
			Unproven int64 `json:"unproven"`
			// Unconfirmed keys are among the doubtful.
			Unconfirmed int64 `json:"unconfirmed"`
			Lost        int64 `json:"lost"`
			Doubtful    int64 `json:"doubtful"`
		}{r.Keys, r.Bytes, r.Columns, r.Unproven, r.Unconfirmed, r.Losses - r.Doubts, r.Doubts})
	}
	a.note("Salvaged %s (%s) and %s; %d lost, %d doubtful.", countInWords(r.Keys, "key"), humanize.IBytes(uint64(r.Bytes)),
		countInWords(r.Columns, "array"), r.Losses-r.Doubts, r.Doubts)
	if r.Unproven > 0 {
		a.note("%s had no checksum to prove the value.", countInWords(r.Unproven, "key"))
	}
	if r.Unconfirmed > 0 {
		a.note("%s had no entry in the index of keys to confirm the key.", countInWords(r.Unconfirmed, "value"))
	}
	return nil
}

func (a *app) printLoss(l kvault.Loss) error {
	state := "lost"
	if l.Copied {
		state = "doubtful"
	}
	if a.flags.json {
		return a.emit(struct {
			keyJSON
			Column string `json:"column,omitempty"`
			Table  string `json:"table"`
			State  string `json:"state"`
			Why    string `json:"why"`
		}{jsonKey(l.Key), l.Column, l.Table, state, l.Err.Error()})
	}
	name := fmt.Sprintf("(table %s)", l.Table)
	switch {
	case l.Key != "":
		name = a.shown(l.Key)
	case l.Column != "":
		name = fmt.Sprintf("(column %s)", a.shown(l.Column))
	}
	return a.printf("%s\t%s\t%s\n", name, state, strings.ReplaceAll(l.Err.Error(), "\n", "; "))
}
