package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check",
		GroupID: groupVault,
		Short:   "Read everything and name what is damaged",
		Long: `Check the structure of the vault, each value against its checksum and each
column against its length. Every problem is one line on standard output: the key
or column, a tab and what is wrong. If there are any the exit code is 12;
'kvault salvage' copies what is still whole into a new vault.

` + exitHelp(),
		Example:           `  kvault -f media.kv check`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error { return a.check(ctx, v) })
		}),
	}
}

func (a *app) check(ctx context.Context, v *kvault.Vault) error {
	b := a.startProgress("check", inKeys, 0)
	defer b.finish()
	var printing error
	report, err := v.Check(ctx, &kvault.CheckOptions{
		Progress: b.set,
		OnProblem: func(p kvault.Problem) {
			if err := a.printProblem(p); printing == nil {
				printing = err
			}
		},
	})
	b.finish()
	if report.Complete && printing == nil {
		var found error
		if found, printing = a.checkColumns(ctx, v, report); found != nil {
			err = cmp.Or(err, found)
		}
	}
	switch {
	case !report.Complete:
		return err
	case printing != nil:
		return printing
	case a.flags.json:
		err := a.emit(struct {
			Keys     int64 `json:"keys"`
			Problems int64 `json:"problems"`
		}{report.Keys, report.Problems})
		if err != nil {
			return err
		}
	default:
		a.note("Checked %s, found %s.", countInWords(report.Keys, "key"), countInWords(report.Problems, "problem"))
	}
	if err != nil {
		return &exitError{code: exitCorrupt, err: err, told: true}
	}
	return nil
}

// checkColumns prints what makes columns unreadable that the engine, which knows no columns, does
// not see: parts that do not belong together. It counts them in the report.
func (a *app) checkColumns(ctx context.Context, v *kvault.Vault, report *kvault.CheckReport) (found, failed error) {
	list, err := column.List(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, info := range list {
		told := func(p kvault.Problem) bool { return p.Column == info.Name }
		if info.Foreign || slices.ContainsFunc(report.First, told) {
			continue
		}
		d, err := column.OpenAny(ctx, v, info.Name)
		if err == nil {
			_, err = d.Len(ctx)
		}
		switch {
		case errors.Is(err, kvault.ErrCorrupt):
			report.Problems++
			found = cmp.Or(found, err)
			if err := a.printProblem(kvault.Problem{Column: info.Name, Err: err}); err != nil {
				return found, err
			}
		case err != nil && !errors.Is(err, kvault.ErrUnsupported) && !errors.Is(err, kvault.ErrNotFound):
			return found, err
		}
	}
	return found, nil
}

func (a *app) printProblem(p kvault.Problem) error {
	if a.flags.json {
		return a.emit(struct {
			keyJSON
			Column  string `json:"column,omitempty"`
			Problem string `json:"problem"`
		}{jsonKey(p.Key), p.Column, p.Err.Error()})
	}
	name := "(the vault)"
	switch {
	case p.Key != "":
		name = a.shown(p.Key)
	case p.Column != "":
		name = fmt.Sprintf("(column %s)", a.shown(p.Column))
	}
	return a.printf("%s\t%s\n", name, a.shown(strings.ReplaceAll(p.Err.Error(), "\n", "; ")))
}
