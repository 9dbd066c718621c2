package reliability

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

var kills = flag.Int("kills", defaultKills, "how many processes are killed")

func killOptions(rollback bool) *kvault.Options {
	return &kvault.Options{DisableWAL: rollback, PageSize: 4096, OneRowLimit: 20_000, ChunkSize: 8000, BusyTimeout: time.Minute}
}

// ring is how many keys a writer uses in turn, so that its last writes can all be looked at.
const ring = 4

// killWriter writes values number 1, 2, 3 and so on, each known by its number.
type killWriter struct {
	name string
	// size is that of value n.
	size func(n int) int
	// write stores value n, in a call that has returned when it is acknowledged.
	write func(ctx context.Context, p *killProcess, name string, n int, value []byte) error
}

// killProcess is what the writers of one process share.
type killProcess struct {
	v, cached *kvault.Vault
	numbers   *column.Column[int64]
}

func ringKey(name string, n int) string { return fmt.Sprint(name, " ", n%ring) }

var killWriters = []killWriter{
	{"put", func(n int) int { return n * 37 % 3000 }, func(ctx context.Context, p *killProcess, name string, n int, value []byte) error {
		return p.v.Put(ctx, ringKey(name, n), value)
	}},
	{"stream", func(n int) int { return n * 977 % 60_000 }, func(ctx context.Context, p *killProcess, name string, n int, value []byte) error {
		_, err := p.v.PutReader(ctx, ringKey(name, n), io.MultiReader(bytes.NewReader(value)), nil)
		return err
	}},
	{"update", func(n int) int { return n * 11 % 500 }, func(ctx context.Context, p *killProcess, name string, n int, value []byte) error {
		return p.v.Update(ctx, func(tx *kvault.Tx) error {
			return errors.Join(tx.Put(ctx, ringKey(name, n), value), p.numbers.In(tx).Append(ctx, int64(n)))
		})
	}},
	{"cache", func(n int) int { return n * 53 % 5000 }, func(ctx context.Context, p *killProcess, name string, n int, value []byte) error {
		err := p.cached.Put(ctx, ringKey(name, n), value)
		if err == nil && n%3 == 0 { // what is pending is not acknowledged
			_, err = p.cached.FlushCache(ctx)
		}
		return err
	}},
	{"replace", func(n int) int { return n * 71 % 9000 }, func(ctx context.Context, p *killProcess, name string, n int, value []byte) error {
		if _, err := p.v.Delete(ctx, ringKey(name, n)); err != nil {
			return err
		}
		if err := p.v.Put(ctx, "new "+name, value); err != nil {
			return err
		}
		return p.v.Rename(ctx, "new "+name, ringKey(name, n), nil)
	}},
}

// value n of a writer begins with n and goes on with bytes that only it has.
func (w killWriter) value(n int) []byte {
	head := fmt.Sprintf("%s %d ", w.name, n)
	return append([]byte(head), bytes.Repeat([]byte{byte(n), byte(n >> 8), w.name[0]}, w.size(n)/3)...)
}

// last is the highest number of the writer's values in the vault, each of which must be whole.
func (w killWriter) last(ctx context.Context, v *kvault.Vault) (last int, err error) {
	var got [ring]int
	for slot := range ring {
		value, err := v.GetOr(ctx, ringKey(w.name, slot), nil)
		if err != nil {
			return 0, err
		}
		if value == nil {
			continue
		}
		fields := bytes.SplitN(value, []byte(" "), 3)
		if got[slot], err = strconv.Atoi(string(fields[min(1, len(fields)-1)])); err != nil || !bytes.Equal(value, w.value(got[slot])) {
			return 0, fmt.Errorf("%s: %d bytes that nobody wrote", ringKey(w.name, slot), len(value))
		}
		last = max(last, got[slot])
	}
	return last, w.wholeRing(got, last)
}

// wholeRing fails if a value before the last is not there. The one that is being replaced may be
// missing.
func (w killWriter) wholeRing(got [ring]int, last int) error {
	for n := max(1, last-ring+1); n <= last; n++ {
		if removed := w.name == "replace" && n == last-ring+1; got[n%ring] != n && !removed {
			return fmt.Errorf("%s: %d is there where %d should be, the last is %d", ringKey(w.name, n), got[n%ring], n, last)
		}
	}
	return nil
}

// killChild writes for ever, and prints the name of a writer and a number once that value is
// acknowledged.
func killChild(ctx context.Context, path string, args []string, out io.Writer) error {
	rollback, err := strconv.ParseBool(args[0])
	if err != nil {
		return err
	}
	p := &killProcess{}
	if p.v, err = kvault.Open(ctx, path, killOptions(rollback)); err != nil {
		return err
	}
	if p.cached, err = kvault.Open(ctx, path, killOptions(rollback)); err != nil {
		return err
	}
	if err := p.cached.EnableCache(ctx, &kvault.CacheOptions{IdleFlush: time.Millisecond}); err != nil {
		return err
	}
	if p.numbers, err = column.Ensure(ctx, p.v, "numbers", column.Int64, &column.Options{MinChunk: 1024, MaxChunk: 65536}); err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error)
	for _, w := range killWriters {
		go func() {
			failed <- w.forever(ctx, p, func(n int) error {
				mu.Lock()
				defer mu.Unlock()
				_, err := fmt.Fprintln(out, w.name, n)
				return err
			})
		}()
	}
	return <-failed
}

func (w killWriter) forever(ctx context.Context, p *killProcess, acknowledge func(n int) error) error {
	last, err := w.last(ctx, p.v)
	if err != nil {
		return err
	}
	for n := last + 1; ; n++ {
		if err := w.write(ctx, p, w.name, n, w.value(n)); err != nil {
			return fmt.Errorf("%s %d: %w", w.name, n, err)
		}
		if w.name == "cache" && n%3 != 0 {
			continue
		}
		if err := acknowledge(n); err != nil {
			return err
		}
	}
}

// Processes with several writers are killed, again and again: whatever they had acknowledged is
// there, whole, and in order.
func TestKillLoop(t *testing.T) {
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback=%t", rollback), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			acknowledged := map[string]int{}
			writes, begun := 0, 0
			for round := 0; round < *kills/2 && !t.Failed(); round++ {
				// Every other time this process has the vault open too, with what it shares of the
				// log in memory.
				var watching *kvault.Vault
				if round%2 == 1 {
					watching = open(t, path, killOptions(rollback))
				}
				n := killOne(t, path, rollback, acknowledged)
				writes += n
				if n > 0 {
					begun++
				}
				if watching != nil {
					wantAcknowledged(t, watching, acknowledged)
					shut(t, watching)
				}
				v := open(t, path, killOptions(rollback))
				wantAcknowledged(t, v, acknowledged)
				if round%8 == 0 || t.Failed() {
					check(t, v)
				}
				shut(t, v)
			}
			t.Logf("%d processes killed, %d of them while they were writing; %d acknowledged writes, none lost", *kills/2, begun, writes)
		})
	}
}

// killOne kills a child after a number of acknowledged writes, or while it starts. It returns how
// many there were.
func killOne(t *testing.T, path string, rollback bool, acknowledged map[string]int) (n int) {
	t.Helper()
	c := startChild(t, "kill", path, rollback)
	most := rand.IntN(60)
	if most == 0 {
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond) // anywhere will do
	}
	for n < most && c.lines.Scan() {
		n++
		note(t, c.lines.Text(), acknowledged)
	}
	if err := c.Process.Kill(); err != nil {
		t.Errorf("the child ended by itself: %v", err)
	}
	for c.lines.Scan() { // what it had printed by then
		n++
		note(t, c.lines.Text(), acknowledged)
	}
	if c.Wait(); c.ProcessState.Exited() {
		t.Errorf("the child ended by itself: %v", c.ProcessState)
	}
	return n
}

func note(t *testing.T, line string, acknowledged map[string]int) {
	var name string
	var n int
	if _, err := fmt.Sscan(line, &name, &n); err != nil {
		return // the kill cut the line off
	}
	if n <= acknowledged[name] {
		t.Errorf("%s %d is acknowledged after %d", name, n, acknowledged[name])
	}
	acknowledged[name] = n
}

func wantAcknowledged(t *testing.T, v *kvault.Vault, acknowledged map[string]int) {
	t.Helper()
	ctx := t.Context()
	for _, w := range killWriters {
		last, err := w.last(ctx, v)
		if err != nil || last < acknowledged[w.name] {
			t.Errorf("%s: the last value is %d (%v), acknowledged was %d", w.name, last, err, acknowledged[w.name])
		}
		if w.name == "update" {
			wantNumbers(t, v, last)
		}
	}
}

// wantNumbers holds the column against the key that is written in the same transaction.
func wantNumbers(t *testing.T, v *kvault.Vault, last int) {
	t.Helper()
	numbers, err := column.Open(t.Context(), v, "numbers", column.Int64)
	if errors.Is(err, kvault.ErrNotFound) && last == 0 {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	next := int64(1)
	for n, err := range numbers.All(t.Context()) {
		if err != nil || n != next {
			t.Errorf("number %d (%v) comes where %d should", n, err, next)
			return
		}
		next++
	}
	if int(next-1) != last {
		t.Errorf("%d numbers, the key in the same transaction says %d", next-1, last)
	}
}

// upgradeChild optimizes, and prints a line for each step of the upgrade.
func upgradeChild(ctx context.Context, path string, args []string, out io.Writer) error {
	rollback, err := strconv.ParseBool(args[0])
	if err != nil {
		return err
	}
	v, err := kvault.Open(ctx, path, killOptions(rollback))
	if err != nil {
		return err
	}
	err = v.Optimize(ctx, func(done, _ int64) { fmt.Fprintln(out, "upgraded", done) })
	return errors.Join(err, v.Close())
}

// Processes that upgrade a vault of layout 1 are killed in their midst: all values stay, with their
// metadata, and the next Optimize ends the work.
func TestKillUpgrade(t *testing.T) {
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback=%t", rollback), func(t *testing.T) {
			begun, upgraded := 0, 0
			for round := 0; round < max(*kills/100, 1) && !t.Failed(); round++ {
				path := filepath.Join(fastDir(t), "v.kv")
				want := fillForUpgrade(t, path, rollback)
				for range 2 {
					begun += min(killUpgrade(t, path, rollback, 1+rand.IntN(3)), 1)
					v := open(t, path, killOptions(rollback))
					wantItems(t, v, want)
					check(t, v)
					shut(t, v)
				}
				v := open(t, path, killOptions(rollback))
				if stats, err := v.Stats(t.Context()); err == nil && stats.Detail["layout version"] == "2" {
					upgraded++
				}
				if err := v.Optimize(t.Context(), nil); err != nil {
					t.Error(err)
				}
				stats, err := v.Stats(t.Context())
				if err != nil || stats.Detail["layout version"] != "2" || strings.Contains(stats.Detail["tables"], "kvlayout2") {
					t.Errorf("%v, %v", err, stats.Detail)
				}
				wantItems(t, v, want)
				check(t, v)
				shut(t, v)
			}
			t.Logf("%d processes killed in their midst, after which %d of the vaults were upgraded", begun, upgraded)
		})
	}
}

// killUpgrade kills a child after so many steps, or a little later, and returns how many steps
// there were.
func killUpgrade(t *testing.T, path string, rollback bool, most int) (n int) {
	t.Helper()
	c := startChild(t, "upgrade", path, rollback)
	for n < most && c.lines.Scan() {
		n++
	}
	time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
	if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	for c.lines.Scan() {
		n++
	}
	if err := c.Wait(); c.ProcessState.ExitCode() > 0 {
		t.Errorf("the child failed: %v", err)
	}
	return n
}

// fillForUpgrade makes a vault of layout 1 with values of all kinds, and returns them.
func fillForUpgrade(t *testing.T, path string, rollback bool) map[string]kvault.Item {
	t.Helper()
	makeLayout1(t, path, 4096)
	v := open(t, path, killOptions(rollback))
	defer shut(t, v)
	err := v.WithCache(t.Context(), nil, func() error {
		for i := range 3000 { // which are several steps
			key, size := fmt.Sprintf("k%04d", i), 10*(i%40)
			if i%500 == 7 {
				size = 10 * i // some of them in chunk rows
			}
			o := &kvault.PutOptions{ContentType: "of " + key, User: map[string]string{"n": key}}
			if _, err := v.PutWith(t.Context(), key, bytes.Repeat([]byte{byte(i)}, size), o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return itemsOf(t, v)
}

func itemsOf(t *testing.T, v *kvault.Vault) map[string]kvault.Item {
	t.Helper()
	all := map[string]kvault.Item{}
	for item, err := range v.Items(t.Context(), nil) {
		if err != nil {
			t.Error(err)
			break
		}
		all[item.Key] = item
	}
	return all
}

func wantItems(t *testing.T, v *kvault.Vault, want map[string]kvault.Item) {
	t.Helper()
	if got := itemsOf(t, v); !reflect.DeepEqual(got, want) {
		t.Errorf("%d items, not the %d that there were", len(got), len(want))
	}
}
