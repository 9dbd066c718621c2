//go:build ceph

package cluster

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/internal/cluster/workload"
)

var (
	cycles     = flag.Int("cycles", 2, "how often each fault comes and goes")
	streamSize = flag.Int64("stream", 256<<20, "the length in bytes of the streams during which nodes are killed")
	through    = flag.Duration("through", 10*time.Second, "how long a workload runs through the proxy")
)

// torment makes one fault come and go. n counts its calls from 0 on.
type torment func(t *testing.T, c *Cluster, n int)

// held is how long a fault stays.
const held = 3 * time.Second

func node(t *testing.T, c *Cluster, n int) {
	i := strconv.Itoa(n % 3)
	do(t, c, "kill-node", i)
	time.Sleep(held)
	do(t, c, "start-node", i)
	do(t, c, "wait", "240")
}

func gateway(t *testing.T, c *Cluster, n int) {
	i := strconv.Itoa(n % 2)
	do(t, c, "kill-gateway", i)
	time.Sleep(held / 3)
	do(t, c, "start-gateway", i)
}

func stall(t *testing.T, c *Cluster, n int) {
	i := strconv.Itoa(n % 2)
	do(t, c, "stall-gateway", i)
	time.Sleep(2 * held)
	do(t, c, "resume-gateway", i)
	time.Sleep(held / 3)
}

func everything(t *testing.T, c *Cluster, n int) {
	do(t, c, "kill-all")
	time.Sleep(held / 3)
	do(t, c, "start-all")
}

// during runs a workload while a fault comes and goes, some times, and a little longer.
func during(t *testing.T, c *Cluster, fault torment, times int, run func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		time.Sleep(held / 3) // there is something to lose by then
		for n := range times {
			fault(t, c, n)
		}
		time.Sleep(held / 3)
	})
	run(ctx)
	wg.Wait()
}

// bucketOf makes a bucket for a test, and returns the URL of a vault in it.
func bucketOf(t *testing.T, c *Cluster, endpoints ...string) (direct, tested string) {
	t.Helper()
	name := fmt.Sprintf("test-%d", time.Now().UnixNano())
	do(t, c, "bucket", name)
	return c.URL(name, "v"), c.URL(name, "v", endpoints...)
}

func open(t *testing.T, url string) *kvault.Vault {
	t.Helper()
	store, err := s3.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := kvault.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// proxied starts a proxy that does faults to one request in n.
func proxied(t *testing.T, c *Cluster, n int, list ...Fault) *Proxy {
	t.Helper()
	p, err := NewProxy(c.Gateways, 2*time.Second, Sometimes(n, list...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("the proxy: %s", p.Counts())
	})
	return p
}

// settle prints the counts for docs/reliability.md, and fails if anything is wrong.
func settle(t *testing.T, r *workload.Report, text string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("after the faults: %v", err)
	}
	t.Log(text)
	if details := r.Details(); details != "" {
		t.Logf("errors:\n%s", details)
	}
	for _, wrong := range r.Wrong[:min(len(r.Wrong), 10)] {
		t.Errorf("WRONG: %s", wrong)
	}
	if r.Acked == 0 || r.Reads == 0 {
		t.Error("nothing was acknowledged, or nothing read")
	}
}

// TestMixed has four writers, and readers that check, while daemons die, stop, and lie.
func TestMixed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault torment
	}{{"nodes killed", node}, {"gateway stalled", stall}, {"everything killed", everything}} {
		t.Run(tt.name, func(t *testing.T) {
			c := running(t)
			_, url := bucketOf(t, c)
			v := open(t, url)
			m := &workload.Mixed{Prefix: "m/", Writers: 4, Readers: 3, Keys: 50, MaxSize: 2 << 20}
			during(t, c, tt.fault, *cycles, func(ctx context.Context) { m.Run(ctx, v) })
			err := m.Verify(t.Context(), open(t, url))
			settle(t, &m.Report, m.String(), err)
		})
	}
	t.Run("through a proxy", func(t *testing.T) {
		c := running(t)
		p := proxied(t, c, 10, All()...)
		direct, url := bucketOf(t, c, p.URL)
		v := open(t, url)
		m := &workload.Mixed{Prefix: "m/", Writers: 4, Readers: 3, Keys: 50, MaxSize: 2 << 20}
		m.Run(bounded(t, *through), v)
		err := m.Verify(t.Context(), open(t, direct))
		settle(t, &m.Report, m.String(), err)
	})
}

func bounded(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestStreams kills a node in the middle of each stream, in and out, and another once it is back.
func TestStreams(t *testing.T) {
	c := running(t)
	_, url := bucketOf(t, c)
	v := open(t, url)
	n := 0
	var back sync.WaitGroup
	s := &workload.Streams{Key: "stream.bin", Size: *streamSize, Between: back.Wait, Midway: func() {
		i := strconv.Itoa(n % 3)
		n++
		do(t, c, "kill-node", i)
		back.Go(func() {
			time.Sleep(held)
			do(t, c, "start-node", i)
			do(t, c, "wait", "240")
		})
	}}
	s.Run(t.Context(), v, *cycles)
	err := s.Verify(t.Context(), open(t, url))
	t.Logf("streams of %d bytes, with %d nodes killed in their midst; the last in %.1f s, out %.1f s", s.Size, n, s.Written.Seconds(), s.ReadTime.Seconds())
	settle(t, &s.Report, s.String(), err)
}

// TestPops has eight poppers: each value comes out once.
func TestPops(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault torment
	}{{"nodes killed", node}, {"gateways killed, through a proxy", gateway}} {
		t.Run(tt.name, func(t *testing.T) {
			c := running(t)
			var endpoints []string
			if strings.Contains(tt.name, "proxy") {
				endpoints = []string{proxied(t, c, 10, DropReply, Repeat, Deceive, CutReply).URL}
			}
			direct, url := bucketOf(t, c, endpoints...)
			v := open(t, url)
			q := &workload.Queue{Prefix: "q/", Writers: 4, Poppers: 8, Slots: 40}
			during(t, c, tt.fault, *cycles, func(ctx context.Context) { q.Run(ctx, v) })
			err := q.Drain(t.Context(), open(t, direct))
			settle(t, &q.Report, fmt.Sprintf("%d values popped; %s", q.Popped(), q.String()), err)
		})
	}
}

// TestDeletes has deletions and sweeps beside writers: no acknowledged put is lost.
func TestDeletes(t *testing.T) {
	c := running(t)
	p := proxied(t, c, 20, All()...)
	direct, url := bucketOf(t, c, p.URL)
	v, sweeper := open(t, url), open(t, direct)
	d := &workload.Deletes{Prefix: "d/", Workers: 4, Keys: 10, Sweep: func(ctx context.Context) error {
		return sweeper.Optimize(ctx, nil)
	}}
	d.Run(bounded(t, *through), v)
	err := d.Verify(t.Context(), open(t, direct))
	if d.Swept == 0 {
		t.Error("no sweep succeeded")
	}
	settle(t, &d.Report, fmt.Sprintf("%d sweeps; %s", d.Swept, d.String()), err)
}

// TestAppends has writers append to one column while gateways die and replies are lost.
func TestAppends(t *testing.T) {
	c := running(t)
	p := proxied(t, c, 20, All()...)
	direct, url := bucketOf(t, c, p.URL)
	col, err := column.Ensure(t.Context(), open(t, direct), "numbers", column.Int64, nil)
	if err != nil {
		t.Fatal(err)
	}
	tested, err := column.Open(t.Context(), open(t, url), "numbers", column.Int64)
	if err != nil {
		t.Fatal(err)
	}
	a := &workload.Appends{Writers: 4}
	during(t, c, gateway, 3**cycles, func(ctx context.Context) { a.Run(ctx, tested) })
	err = a.Verify(t.Context(), col)
	settle(t, &a.Report, a.String(), err)
}

// TestCache flushes a cache while gateways die and replies are lost.
func TestCache(t *testing.T) {
	c := running(t)
	p := proxied(t, c, 20, All()...)
	direct, url := bucketOf(t, c, p.URL)
	v := open(t, url)
	if err := v.EnableCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w := &workload.Cached{Prefix: "c/", Keys: 500, Batch: 100}
	during(t, c, gateway, 2**cycles, func(ctx context.Context) {
		if err := w.Run(ctx, v); err != nil {
			t.Error(err)
		}
	})
	err := w.Verify(t.Context(), open(t, direct))
	settle(t, &w.Report, fmt.Sprintf("%d flushes, %d more failed; %s", w.Flushes, w.Failed, w.String()), err)
}
