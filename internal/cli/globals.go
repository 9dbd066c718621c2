package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// globals are the flags that are not of one command alone.
type globals struct {
	file, table string
	json, quiet bool
	progress    choice
	oneRow      bool
	durability  choice
	busyTimeout time.Duration
}

// envFlags can be set by variables too: KVAULT_ and the name in capitals.
var envFlags = []string{"file", "table", "json", "quiet", "durability", "one-row", "busy-timeout", "progress"}

func envName(flag string) string {
	return "KVAULT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (g *globals) register(fs *pflag.FlagSet) {
	fs.StringVarP(&g.file, "file", "f", "", "the vault: a file, or s3://BUCKET/PREFIX (or KVAULT_FILE)")
	fs.StringVar(&g.table, "table", "", "table within the vault (or KVAULT_TABLE)")
	fs.BoolVar(&g.json, "json", false, "print one JSON object a line, errors too")
	fs.BoolVar(&g.quiet, "quiet", false, "print nothing but data and errors")
	g.progress = choice{allowed: []string{progressPlain, progressBar, progressNone}}
	fs.Var(&g.progress, "progress", "a line every 5 s, a bar or nothing (default: a bar on a terminal)")
	fs.DurationVar(&g.busyTimeout, "busy-timeout", 5*time.Second, "how long to wait for another process that holds the vault")
}

// registerWrite adds the flags of commands that write.
func (g *globals) registerWrite(cmd *cobra.Command) {
	g.durability = choice{value: "normal", allowed: []string{"normal", "full"}}
	cmd.Flags().Var(&g.durability, "durability", "full: what was acknowledged survives a power cut")
	registerChoice(cmd, "durability", g.durability.allowed)
	cmd.Flags().BoolVar(&g.oneRow, "one-row", false, "keep values up to 10^9 bytes as the Python package can read them")
}

// applyEnv gives each flag that the command line leaves open the value of its variable.
func (a *app) applyEnv(cmd *cobra.Command) error {
	for _, name := range envFlags {
		f := cmd.Flags().Lookup(name)
		value := a.sys.Getenv(envName(name))
		if f == nil || f.Changed || value == "" {
			continue
		}
		if err := f.Value.Set(value); err != nil {
			return usagef("%w", wrongValue(envName(name), value, f.Value, err))
		}
	}
	if shown := a.flags.progress.value; cmd.Flags().Changed("progress") && shown != progressNone {
		for _, name := range []string{"quiet", "json"} {
			if cmd.Flags().Changed(name) && cmd.Flag(name).Value.String() == "true" {
				return usagef("--progress=%s and --%s exclude each other", shown, name)
			}
		}
	}
	if a.flags.busyTimeout < 0 {
		return usagef("--busy-timeout is negative; 0 does not wait at all")
	}
	return a.checkAddress(cmd)
}

// choice is a flag with a fixed set of values.
type choice struct {
	value   string
	allowed []string
}

// String returns the value chosen.
func (c *choice) String() string { return c.value }

// Type returns what help shows as the flag's value.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set chooses s if it is allowed.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}
