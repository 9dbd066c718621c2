package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// bashFallback is what the script for bash takes from the package bash-completion, in case that is
// not there: the words of the line with those put together again that bash takes apart at the
// characters after -n, and the other way round for what is offered. The package, if it is loaded
// later, puts its own functions in their place.
const bashFallback = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
_get_comp_words_by_ref()
{
    local joining=$2 rest=$COMP_LINE word tight i
    words=()
    for i in "${!COMP_WORDS[@]}"; do
        word=${COMP_WORDS[i]}
        if [[ $tight && $word && $rest == "$word"* && $word$tight == *["$joining"]* ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        ((i == COMP_CWORD)) && cword=$((${#words[@]} - 1))
        rest=${rest#*"$word"}
        tight=$word
        [[ $rest == [[:space:]]* ]] && tight=
        rest=${rest#"${rest%%[![:space:]]*}"}
    done
    cur=${words[cword]}
    prev=
    ((cword > 0)) && prev=${words[cword-1]}
    return 0
}
fi
if ! declare -F __ltrim_colon_completions >/dev/null; then
__ltrim_colon_completions()
{
    [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]] || return 0
    local i prefix=${1%"${1##*:}"}
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}
    done
}
fi
`

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
			if _, err := a.out.WriteString(bashFallback); err != nil {
				return err
			}
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
