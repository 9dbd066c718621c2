//go:build ceph

package cluster

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// The cluster of all tests, which the first one starts.
var (
	startOnce sync.Once
	shared    *Cluster
	startErr  error
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if shared != nil {
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// running returns the cluster, with all of it healthy, and sets the environment for clients. What a
// test leaves broken is mended after it.
func running(t *testing.T) *Cluster {
	t.Helper()
	startOnce.Do(func() { shared, startErr = Start(context.Background()) })
	if startErr != nil {
		t.Fatal(startErr)
	}
	for name, value := range shared.Env {
		t.Setenv(name, value)
	}
	do(t, shared, "start-all")
	t.Cleanup(func() { mend(t, shared) })
	return shared
}

// mend brings everything back, whatever state a test left it in.
func mend(t *testing.T, c *Cluster) {
	t.Helper()
	for _, gateway := range []string{"0", "1"} {
		_, _ = c.Do(context.Background(), "resume-gateway", gateway) // one that does not run cannot resume
	}
	if _, err := c.Do(context.Background(), "start-all"); err != nil {
		t.Error(err)
	}
}

func do(t *testing.T, c *Cluster, command string, args ...string) {
	t.Helper()
	if _, err := c.Do(context.Background(), command, args...); err != nil {
		t.Error(err)
	}
}
