package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) existsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "exists KEY",
		GroupID: groupValues,
		Short:   "Tell by the exit code whether a key exists",
		Long: `End with exit code 0 if KEY exists and with 4 if not. Nothing is printed,
unless --json asks for it.

` + exitHelp(exitNotFound),
		Example:           `  kvault -f media.kv exists photos/cat.jpg || echo no cat`,
		Args:              takes(1, 1, 1),
		ValidArgsFunction: a.completeKeys(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error { return a.exists(ctx, v, args[0]) })
		}),
	}
}

func (a *app) exists(ctx context.Context, v *kvault.Vault, key string) error {
	found, err := v.Exists(ctx, key)
	if err != nil {
		return err
	}
	if a.flags.json {
		err = a.emit(struct {
			keyJSON
			Exists bool `json:"exists"`
		}{jsonKey(key), found})
	}
	if err == nil && !found {
		err = &exitError{code: exitNotFound, err: fmt.Errorf("%q does not exist", key), told: true}
	}
	return err
}
