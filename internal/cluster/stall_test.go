//go:build ceph

package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestStalledRequests leaves requests in a gateway that is stopped, acknowledges newer versions by the
// other, and lets the first go on: what it still does then may not replace what was acknowledged.
func TestStalledRequests(t *testing.T) {
	c := running(t)
	_, url := bucketOf(t, c)
	v := open(t, url)
	const keys = 32
	var acked, refused [keys]int // the last version of a key that was acknowledged; how many were refused
	put := func(key, version int) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if err := v.Put(ctx, fmt.Sprint("key ", key), fmt.Appendf(nil, "version %d", version)); err != nil {
			refused[key]++
			return
		}
		acked[key] = version
	}
	round := func(first, last int) {
		var wg sync.WaitGroup
		for key := range keys {
			wg.Go(func() {
				for version := first; version <= last; version++ {
					put(key, version)
				}
			})
		}
		wg.Wait()
	}
	round(1, 2) // connections to both gateways are open now
	do(t, c, "stall-gateway", "0")
	round(3, 8)
	do(t, c, "resume-gateway", "0")
	time.Sleep(5 * time.Second)
	reader := open(t, url)
	total, stale := 0, 0
	for key := range keys {
		got, err := reader.Get(t.Context(), fmt.Sprint("key ", key))
		var version int
		if err == nil {
			_, err = fmt.Sscanf(string(got), "version %d", &version)
		}
		if err != nil {
			t.Error(err)
		} else if version < acked[key] {
			stale++
			t.Errorf("WRONG: key %d has version %d, where %d was acknowledged", key, version, acked[key])
		}
		total += refused[key]
	}
	if slices.Max(acked[:]) < 3 {
		t.Error("nothing was acknowledged while the gateway was stopped")
	}
	t.Logf("a stalled gateway: %d keys, %d puts refused meanwhile; %d keys went back", keys, total, stale)
}
