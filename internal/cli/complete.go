package cli

import (
	"context"
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

const (
	// completionLimit is the most keys offered at once.
	completionLimit = 200
	// completionTimeout bounds how long a press of Tab may take.
	completionTimeout = time.Second
)

type completer = func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective)

// completeKeys completes the first n arguments (all if n is below 0) with keys of the vault.
func (a *app) completeKeys(n int) completer {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if n >= 0 && len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeKeyFlag(cmd, args, start)
	}
}

// completeKeyThen completes the first argument with keys and leaves the others to the shell.
func (a *app) completeKeyThen(others cobra.ShellCompDirective) completer {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, others
		}
		return a.completeKeyFlag(cmd, args, start)
	}
}

// completeInTurn completes each argument by its own function, and no further one.
func (a *app) completeInTurn(each ...completer) completer {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return each[len(args)](cmd, args, start)
	}
}

// completeDirThenFolder completes a directory, and then a folder of the vault.
func (a *app) completeDirThenFolder() completer {
	return a.completeInTurn(fixedDirective(cobra.ShellCompDirectiveFilterDirs), a.completeFolder)
}

func fixedDirective(d cobra.ShellCompDirective) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) { return nil, d }
}

// completeKeyFlag completes start to keys and folders.
func (a *app) completeKeyFlag(cmd *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, start, func(kvault.Entry) bool { return true })
}

// completeFolder completes start to folders only.
func (a *app) completeFolder(cmd *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, start, func(e kvault.Entry) bool { return e.Folder })
}

func (a *app) complete(cmd *cobra.Command, start string, want func(kvault.Entry) bool) ([]cobra.Completion, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp
	if err := a.applyEnv(cmd); err != nil {
		return nil, directive
	}
	a.flags.busyTimeout = min(a.flags.busyTimeout, completionTimeout/4)
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	var found []cobra.Completion
	err := a.withVault(ctx, reading, func(v *kvault.Vault) error {
		for e, err := range v.List(ctx, &kvault.ListOptions{Prefix: start, Delimiter: "/", Limit: completionLimit, NoMetadata: true}) {
			if err != nil {
				return err
			}
			// A shell could not put other keys on its line.
			if !plain(e.Key) || !want(e) {
				continue
			}
			found = append(found, e.Key)
			if e.Folder {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
		}
		return nil
	})
	if err != nil {
		cobra.CompDebugln(path.Base(cmd.CommandPath())+": "+err.Error(), false)
	}
	return found, directive
}

// registerChoice completes a flag that has a fixed set of values.
func registerChoice(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
