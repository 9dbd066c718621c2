//go:build fuse && (linux || darwin)

package cli

import (
	"path/filepath"
	"testing"
)

func TestMountScripts(t *testing.T) { runScripts(t, "v.kv", filepath.Join("testdata", "mount"), nil) }
