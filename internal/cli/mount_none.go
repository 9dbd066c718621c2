//go:build !fuse || !(linux || darwin)

package cli

import "github.com/spf13/cobra"

// mountCommands are the commands that the build tag fuse adds.
func (*app) mountCommands() []*cobra.Command { return nil }
