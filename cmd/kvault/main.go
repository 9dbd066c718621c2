// Command kvault keeps files and other values in a vault, one SQLite file. Run "kvault help" for
// its commands.
package main

import (
	"context"
	"os"

	"github.com/kohakuvault/kvault/internal/cli"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	return cli.Main(ctx, args, cli.System())
}
