package cli

import (
	"context"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases that are not built as a module version.
var version string

// versionJSON describes the program; fields that are not known are empty.
type versionJSON struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go,omitempty"`
}

// String returns the description as one line, the one that Cobra prints for --version. A template
// for another would have the linker keep every method of every type, 9 MB of them, since templates
// call methods by name.
func (v versionJSON) String() string { return "kvault version " + v.what() }

func (v versionJSON) what() string {
	s := v.Version
	if v.Commit != "" {
		s += " (commit " + v.Commit + ")"
	}
	if v.Go != "" {
		s += " " + v.Go
	}
	return s
}

func buildVersion() versionJSON {
	v := versionJSON{Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		if v.Version == "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value[:min(12, len(s.Value))]
			}
		}
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Show the version of this program",
		Long:              "Show the version of this program and what it was built from.\n\n" + exitHelpOf([]int{exitFailure, exitUsage}),
		Example:           `  kvault version --json`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.action(func(context.Context, []string) error {
			v := buildVersion()
			if a.flags.json {
				return a.emit(v)
			}
			return a.printf("%s\n", v)
		}),
	}
}
