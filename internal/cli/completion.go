package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that teaches a shell to complete commands and keys",
		Long: `Print a completion script for the shell. With it, Tab completes commands, flags
and the keys of the vault that -f or KVAULT_FILE names, folder by folder.

` + exitHelpOf([]int{exitFailure, exitUsage}),
		Example: `  source <(kvault completion bash)                                    # this session
  kvault completion zsh > "${fpath[1]}/_kvault"                        # every zsh
  kvault completion fish > ~/.config/fish/completions/kvault.fish
  kvault completion powershell | Out-String | Invoke-Expression`,
		Args:      takes(1, 1, 0),
		ValidArgs: shells,
	}
	cmd.RunE = a.action(func(_ context.Context, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.out, true)
		case "zsh":
			return root.GenZshCompletion(a.out)
		case "fish":
			return root.GenFishCompletion(a.out, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(a.out)
		}
		return usagef("completion: no script for %q; there is one each for bash, zsh, fish and powershell", args[0])
	})
	return cmd
}
