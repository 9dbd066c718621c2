//go:build ceph

package cluster

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// answers tells whether a gateway answers within seconds.
func answers(gateway string) bool {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Get("http://" + gateway)
	if err != nil {
		return false
	}
	return reply.Body.Close() == nil
}

// TestTorment does to a cluster what the other tests rely on.
func TestTorment(t *testing.T) {
	c := running(t)
	do(t, c, "bucket", "torment")
	do(t, c, "bucket", "torment") // it is there
	expect := func(when string, want ...bool) {
		t.Helper()
		for i, g := range c.Gateways {
			does := answers(g)
			for end := time.Now().Add(time.Minute); want[i] && !does && time.Now().Before(end); {
				does = answers(g) // which takes longer on a busy machine
			}
			if does != want[i] {
				t.Errorf("%s: gateway %d answers: %t", when, i, does)
			}
		}
	}
	expect("at first", true, true)
	do(t, c, "kill-node", "1")
	expect("node 1 killed", true, false)
	if out, err := c.Do(t.Context(), "doctor"); err == nil || !strings.Contains(err.Error(), "doctor: osd.1 does not run") {
		t.Errorf("doctor with a node killed: %q, %v", out, err)
	}
	do(t, c, "start-node", "1")
	do(t, c, "wait", "240")
	do(t, c, "stall-gateway", "0")
	expect("gateway 0 stalled", false, true)
	do(t, c, "resume-gateway", "0")
	do(t, c, "kill-gateway", "1")
	expect("gateway 1 killed", true, false)
	do(t, c, "start-gateway", "1")
	do(t, c, "kill-all")
	expect("all killed", false, false)
	do(t, c, "start-all")
	expect("all started", true, true)
	// Ceph itself may warn of what is over, or of a slow machine.
	if out, err := c.Do(t.Context(), "doctor"); err == nil && out != "doctor: healthy\n" ||
		err != nil && (strings.Contains(err.Error(), "does not run") || strings.Contains(err.Error(), "does not answer")) {
		t.Errorf("doctor of a healthy cluster: %q, %v", out, err)
	}
}

func TestUnknownCommands(t *testing.T) {
	c := running(t)
	for _, tt := range [][]string{{"kill-node", "3"}, {"kill-node"}, {"bucket", "UPPER"}, {"stall-gateway", "2"}, {"nothing"}} {
		if _, err := c.Do(t.Context(), tt[0], tt[1:]...); err == nil {
			t.Errorf("%q succeeds", tt)
		}
	}
}
