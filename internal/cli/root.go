package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	groupValues  = "values"
	groupTrees   = "trees"
	groupColumns = "columns"
	groupVault   = "vault"
)

// Command is the command with all those below it, for manuals that are made of them.
func Command() *cobra.Command { return newApp(System()).rootCommand() }

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "kvault",
		Short: "Keep files and other values in one SQLite file",
		Long: `kvault keeps values of any size under keys in a vault, which is one SQLite
file.

Name the vault with -f or the variable KVAULT_FILE. Each of the flags --file,
--table, --json, --quiet, --progress, --durability and --busy-timeout has such a
variable; a flag goes before its variable.

A vault can also be in a bucket of an S3 server, which is there already:

  kvault -f "s3://BUCKET/PREFIX?endpoint=https://HOST" ls

Without an endpoint it is one of AWS. Keys and region come as the AWS tools take
them: from variables such as AWS_ACCESS_KEY_ID, or from a profile. There are no
transactions there: several keys are changed one by one, 16 at once.

` + prefixHelp + `

Data goes to standard output and everything else to standard error. When whoever
reads standard output has seen enough, the command ends without a word (141).

` + exitHelp(exitSome, exitNotFound),
		Example: `  export KVAULT_FILE=media.kv
  kvault put photos/cat.jpg cat.jpg
  kvault ls -l photos/
  kvault get photos/cat.jpg copy.jpg
  kvault import ~/Pictures pictures`,
		Version:       buildVersion().what(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.sys.In)
	root.SetOut(a.out)
	root.SetErr(a.sys.Err)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(
		&cobra.Group{ID: groupValues, Title: "Values:"},
		&cobra.Group{ID: groupTrees, Title: "Directory trees:"},
		&cobra.Group{ID: groupColumns, Title: "Columns:"},
		&cobra.Group{ID: groupVault, Title: "The vault as a whole:"},
	)
	a.flags.register(root.PersistentFlags())
	root.AddCommand(
		a.putCommand(), a.getCommand(), a.catCommand(), a.lsCommand(), a.findCommand(), a.duCommand(), a.treeCommand(), a.statCommand(), a.metaCommand(), a.existsCommand(), a.rmCommand(), a.mvCommand(), a.cpCommand(),
		a.importCommand(), a.exportCommand(), a.syncCommand(), a.diffCommand(), a.verifyCommand(),
		a.colCommand(),
		a.optimizeCommand(), a.layoutCommand(), a.checkCommand(), a.salvageCommand(), a.backupCommand(), a.restoreCommand(), a.copyCommand(), a.infoCommand(), a.tablesCommand(), a.serveCommand(),
		a.completionCommand(), a.versionCommand(),
	)
	root.AddCommand(a.mountCommands()...)
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = helpTopic
	}
	return root
}

// helpTopic refuses help on a command that does not exist, which is no success.
func helpTopic(help *cobra.Command, args []string) error {
	if _, rest, err := help.Root().Find(args); err != nil || len(rest) > 0 {
		return usagef("help: there is no command %q", strings.Join(args, " "))
	}
	return nil
}

// action makes fn what a command runs, once the environment has been applied.
func (a *app) action(fn func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := refuseEmpty(cmd); err != nil {
			return err
		}
		if err := a.applyEnv(cmd); err != nil {
			return err
		}
		if err := a.refuseColumnTable(cmd); err != nil {
			return err
		}
		if err := a.checkTable(cmd.Context()); err != nil {
			return err
		}
		a.started = true
		return fn(cmd.Context(), args)
	}
}

// refuseEmpty refuses flags whose value is empty, which mostly is a variable that is not set:
// --prefix would mean every key, --if-tag any version, and --output standard output. --file has an
// error of its own.
func refuseEmpty(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.String() != "" || f.Value.Type() != "string" || f.Name == "file" || err != nil {
			return
		}
		way := "leave it out for its default"
		if f.Name == "prefix" && cmd.Flags().Lookup("all") != nil {
			way = "--all deletes every key"
		}
		err = usagef("%s: --%s is empty; %s", cmd.Name(), f.Name, way)
	})
	return err
}

// takes accepts between least and most arguments (any number if most is below 0). Keys, the first
// ones, are not empty.
func takes(least, most, keys int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s: too few arguments; usage: %s", cmd.Name(), cmd.UseLine())
		case most >= 0 && len(args) > most:
			return usagef("%s: too many arguments; usage: %s", cmd.Name(), cmd.UseLine())
		}
		for _, key := range args[:min(keys, len(args))] {
			if key == "" {
				return usagef("%s: the key is empty", cmd.Name())
			}
		}
		return nil
	}
}
