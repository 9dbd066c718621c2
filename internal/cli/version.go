package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is for builds that know no version by themselves, those from an archive of the source:
// -ldflags '-X github.com/kohakuvault/kvault/internal/cli.version=v1.2.3'.
var version string

// versionJSON describes the program; fields that are not known are empty.
type versionJSON struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // the files were not those of the commit
	Go       string `json:"go,omitempty"`
	Platform string `json:"platform"`
}

// String returns the description as one line, the one that Cobra prints for --version. A template
// for another would have the linker keep every method of every type, 9 MB of them, since templates
// call methods by name.
func (v versionJSON) String() string { return "kvault version " + v.what() }

func (v versionJSON) what() string {
	s := v.Version
	if v.Commit != "" {
		s += " (commit " + v.Commit
		if v.Time != "" {
			s += " of " + v.Time
		}
		if v.Modified {
			s += ", modified"
		}
		s += ")"
	}
	if v.Go != "" {
		s += " " + v.Go
	}
	return s + " " + v.Platform
}

// buildVersion describes this program by what Go has put into it: the version of the module, with
// "go install …@version", or the commit, with a build in a clone.
func buildVersion() versionJSON {
	info, _ := debug.ReadBuildInfo()
	return versionOf(info, version)
}

// versionOf prefers set, if it is not empty, to the version of the module. A nil info has none.
func versionOf(info *debug.BuildInfo, set string) versionJSON {
	v := versionJSON{Version: set, Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info != nil {
		v.Go = info.GoVersion
		if v.Version == "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value[:min(12, len(s.Value))]
			case "vcs.time":
				v.Time = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
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
		Use:   "version",
		Short: "Show the version of this program",
		Long: `Show the version of this program and what it was built from: the commit, its
time, and whether files had been changed, where Go recorded them.

` + exitHelpOf([]int{exitFailure, exitUsage}),
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
