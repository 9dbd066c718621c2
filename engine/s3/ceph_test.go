//go:build ceph

package s3_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/s3"
)

// address returns the address of a new vault in the bucket of the environment.
func address(t *testing.T) string {
	t.Helper()
	bucket, gateways := os.Getenv("S3_BUCKET"), os.Getenv("S3_GATEWAYS")
	if bucket == "" || gateways == "" {
		t.Fatal("set S3_BUCKET to a bucket that exists, S3_GATEWAYS to the addresses of its servers with commas between, " +
			"and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; .ci/ceph makes them for a cluster of its own")
	}
	var urls []string
	for g := range strings.SplitSeq(gateways, ",") {
		if !strings.Contains(g, "://") {
			g = "http://" + g
		}
		urls = append(urls, g)
	}
	return fmt.Sprintf("s3://%s/%s?endpoint=%s", bucket, rand.Text(), strings.Join(urls, ","))
}

func opened(t *testing.T, address string) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformanceOfCluster(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) engine.Store { return opened(t, address(t)) }, enginetest.ShortKeys)
}

// TestLongStreamOfCluster writes and reads 256 MiB, in little memory.
func TestLongStreamOfCluster(t *testing.T) {
	s := opened(t, address(t))
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1 << 20, Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	_, _ = rand.Read(chunk)
	const chunks = 256
	start := time.Now()
	for i := range chunks {
		chunk[0] = byte(i)
		if err := st.WriteChunk(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "long", Staged: st}}); err != nil {
		t.Fatal(err)
	}
	t.Logf("written at %.0f MB/s", chunks/time.Since(start).Seconds()*1.048576)
	start = time.Now()
	b, err := s.Open(t.Context(), "long")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got := make([]byte, 1<<20)
	for i := range chunks {
		chunk[0] = byte(i)
		if n, err := b.(engine.Verifier).ReadOn(t.Context(), got, int64(i)<<20); n != len(got) || err != nil || !bytes.Equal(got, chunk) {
			t.Fatalf("MiB %d: %d bytes, %v", i, n, err)
		}
	}
	t.Logf("read at %.0f MB/s", chunks/time.Since(start).Seconds()*1.048576)
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	if total := sample[0].Value.Uint64() >> 20; total > 200 {
		t.Errorf("the process has taken %d MiB", total)
	}
	do(t, s, engine.Op{Kind: engine.Rename, Key: "long", To: "renamed"})
	do(t, s, engine.Op{Kind: engine.Delete, Key: "renamed"})
}

// TestManyKeysOfCluster lists some thousand keys both ways, and clears them.
func TestManyKeysOfCluster(t *testing.T) {
	s := opened(t, address(t))
	var ops []engine.Op
	for i := range 3000 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprintf("%04d%s", i, strings.Repeat("/é", i%4)), Value: []byte("v")})
	}
	if _, errs := s.ApplyEach(t.Context(), ops); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
	for _, reverse := range []bool{false, true} {
		start := time.Now()
		q, all := engine.Query{Limit: 1000, Reverse: reverse}, []string{}
		for more := true; more; {
			keys, m, err := s.AppendKeys(t.Context(), nil, q)
			if err != nil {
				t.Fatal(err)
			}
			if all, more = append(all, keys...), m && len(keys) > 0; more {
				q.Range = q.After(keys[len(keys)-1], reverse)
			}
		}
		if len(all) != len(ops) {
			t.Errorf("reverse %v: %d keys", reverse, len(all))
		}
		for i, key := range all {
			if reverse {
				i = len(ops) - 1 - i
			}
			if key != ops[i].Key {
				t.Fatalf("reverse %v: %q, want %q", reverse, key, ops[i].Key)
			}
		}
		t.Logf("reverse %v: %v", reverse, time.Since(start).Round(time.Millisecond))
	}
	if res := do(t, s, engine.Op{Kind: engine.DeleteRange}); res.Removed != int64(len(ops)) {
		t.Errorf("%d removed", res.Removed)
	}
}
