package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// DirVariable is the environment variable that names the directory of a running cluster. It stays as
// it is when the tests have ended.
const DirVariable = "KVAULT_CEPH"

// Instructions say what to do where there is no Ceph.
const Instructions = `these tests need a Ceph cluster, of Debian's packages:
  .ci/ceph install                    once, as root
  .ci/ceph up /var/tmp/kvault-ceph    or leave it to the tests, which take half a minute each time
  export ` + DirVariable + `=/var/tmp/kvault-ceph
  .ci/ceph remove /var/tmp/kvault-ceph`

// Cluster is a running cluster: three nodes, 0 to 2, and two gateways, 0 and 1, which belong to the
// nodes of their numbers.
type Cluster struct {
	// Dir is its directory.
	Dir string
	// Gateways are the addresses of the gateways, HOST:PORT.
	Gateways []string
	// Env is what clients need of the environment: AWS_ACCESS_KEY_ID and the like.
	Env map[string]string

	script string
	own    bool
}

// Start returns the cluster that DirVariable names, which it starts if it does not run, or else makes
// one of its own, which Close removes.
func Start(ctx context.Context) (*Cluster, error) {
	script, err := findScript()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: os.Getenv(DirVariable), script: script}
	if c.Dir == "" {
		// The sockets of the daemons lie in it, and their paths must be short.
		if c.Dir, err = os.MkdirTemp("/var/tmp", "kvault-ceph-"); err != nil {
			return nil, err
		}
		c.own = true
	}
	out, err := c.Do(ctx, "up")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, Instructions), c.Close())
	}
	c.Env = map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			c.Env[name] = value
		}
	}
	c.Gateways = strings.Split(c.Env["S3_GATEWAYS"], ",")
	return c, nil
}

// findScript looks for .ci/ceph in the working directory and those above.
func findScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		script := filepath.Join(dir, ".ci", "ceph")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no .ci/ceph above the working directory: run the tests in the repository")
		}
		dir = up
	}
}

// doTime bounds each call of the script.
const doTime = 10 * time.Minute

// Do runs a command of .ci/ceph on the cluster, such as "kill-node" with "0", and returns what it
// printed. It returns when the command has done its work. The daemons live on.
func (c *Cluster) Do(ctx context.Context, command string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, doTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.script, append([]string{command, c.Dir}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second // a daemon might keep the pipe open
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf(".ci/ceph %s: %w: %s", strings.Join(append([]string{command}, args...), " "), err, strings.TrimSpace(errs.String()+out.String()))
	}
	return out.String(), nil
}

// URL returns that of a vault in a bucket. The endpoints are URLs; without any, all gateways.
func (c *Cluster) URL(bucket, prefix string, endpoints ...string) string {
	if len(endpoints) == 0 {
		for _, g := range c.Gateways {
			endpoints = append(endpoints, "http://"+g)
		}
	}
	query := url.Values{"endpoint": {strings.Join(endpoints, ",")}}
	return (&url.URL{Scheme: "s3", Host: bucket, Path: "/" + prefix, RawQuery: query.Encode()}).String()
}

// Close removes the cluster, if it was made by Start.
func (c *Cluster) Close() error {
	if !c.own {
		return nil
	}
	// Where making it failed there may be nothing for the script to remove.
	_, err := c.Do(context.Background(), "remove")
	return errors.Join(err, os.RemoveAll(c.Dir))
}
