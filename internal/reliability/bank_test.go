package reliability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

var transfers = flag.Int("transfers", defaultTransfers, "how many transfers each goroutine of the bank makes")

const (
	accounts      = 8
	firstBalance  = 1000
	bankProcesses = 3
	bankHandles   = 2
	bankClerks    = 2 // goroutines of each handle
)

// bankOptions are those of a handle: the first waits for long, the others give up at once.
func bankOptions(rollback bool, handle int) *kvault.Options {
	if handle == 0 {
		return &kvault.Options{DisableWAL: rollback, BusyTimeout: time.Minute}
	}
	return &kvault.Options{DisableWAL: rollback, BusyTimeout: time.Millisecond, Attempts: 1}
}

func account(n int) string { return fmt.Sprint("account", n) }

func balance(ctx context.Context, tx *kvault.Tx, n int) (int, error) {
	value, err := tx.Get(ctx, account(n))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(value))
}

// transfer is what a clerk did, and an element of the journal.
type transfer struct{ clerk, number, from, to, amount int }

func (x transfer) encode() int64 {
	return int64(x.clerk)<<40 | int64(x.number)<<16 | int64(x.from)<<12 | int64(x.to)<<8 | int64(x.amount)
}

func decodeTransfer(n int64) transfer {
	return transfer{int(n >> 40), int(n>>16) & 0xffffff, int(n>>12) & 15, int(n>>8) & 15, int(n) & 255}
}

// do changes two balances and the journal in one transaction.
func (x transfer) do(ctx context.Context, v *kvault.Vault, journal *column.Column[int64]) error {
	return v.Update(ctx, func(tx *kvault.Tx) error {
		for _, side := range []struct{ account, amount int }{{x.from, -x.amount}, {x.to, x.amount}} {
			b, err := balance(ctx, tx, side.account)
			if err != nil {
				return err
			}
			if err := tx.Put(ctx, account(side.account), []byte(strconv.Itoa(b+side.amount))); err != nil {
				return err
			}
		}
		return journal.In(tx).Append(ctx, x.encode())
	})
}

// clerk makes transfers until each has succeeded, and returns how often the vault was busy.
func clerk(ctx context.Context, v *kvault.Vault, id, n int) (busy int, err error) {
	journal, err := column.Open(ctx, v, "journal", column.Int64)
	for errors.Is(err, kvault.ErrBusy) {
		busy++
		journal, err = column.Open(ctx, v, "journal", column.Int64)
	}
	if err != nil {
		return busy, err
	}
	for i := range n {
		from := rand.IntN(accounts)
		x := transfer{id, i, from, (from + 1 + rand.IntN(accounts-1)) % accounts, rand.IntN(256)}
		err := x.do(ctx, v, journal)
		for errors.Is(err, kvault.ErrBusy) {
			busy++
			err = x.do(ctx, v, journal)
		}
		if err != nil {
			return busy, err
		}
	}
	return busy, nil
}

// audit compares the sum of a snapshot with what it always is.
func audit(ctx context.Context, v *kvault.Vault) error {
	err := v.View(ctx, func(tx *kvault.Tx) error {
		sum := 0
		for n := range accounts {
			b, err := balance(ctx, tx, n)
			if err != nil {
				return err
			}
			sum += b
		}
		if sum != accounts*firstBalance {
			return fmt.Errorf("a snapshot holds %d, want %d", sum, accounts*firstBalance)
		}
		return nil
	})
	if errors.Is(err, kvault.ErrBusy) {
		return nil
	}
	return err
}

// bankChild is a process with several handles, each with several clerks and an auditor. It prints
// how often it met a busy vault.
func bankChild(ctx context.Context, path string, args []string, out io.Writer) error {
	first, err1 := strconv.Atoi(args[0])
	n, err2 := strconv.Atoi(args[1])
	rollback, err3 := strconv.ParseBool(args[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	errs := make(chan error, bankHandles*(bankClerks+1))
	var all sync.WaitGroup
	var busy atomic.Int64
	for h := range bankHandles {
		v, err := kvault.Open(ctx, path, bankOptions(rollback, h))
		for errors.Is(err, kvault.ErrBusy) {
			busy.Add(1)
			v, err = kvault.Open(ctx, path, bankOptions(rollback, h))
		}
		if err != nil {
			return err
		}
		defer v.Close()
		var clerks sync.WaitGroup
		for c := range bankClerks {
			clerks.Add(1)
			all.Go(func() {
				defer clerks.Done()
				met, err := clerk(ctx, v, first+h*bankClerks+c, n)
				busy.Add(int64(met))
				errs <- err
			})
		}
		closed := make(chan struct{})
		go func() { clerks.Wait(); close(closed) }()
		all.Go(func() { errs <- auditUntil(ctx, v, closed) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, busy.Load())
	return err
}

func auditUntil(ctx context.Context, v *kvault.Vault, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
			if err := audit(ctx, v); err != nil {
				return err
			}
		}
	}
}

// Money moves between accounts in transactions of several goroutines, handles and processes: no
// snapshot ever shows another sum, and in the end each transfer has been made exactly once, however
// often the vault was busy.
func TestBank(t *testing.T) {
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback=%t", rollback), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bank.kv")
			v := open(t, path, &kvault.Options{DisableWAL: rollback, BusyTimeout: time.Minute})
			defer shut(t, v)
			for n := range accounts {
				if err := v.Put(t.Context(), account(n), []byte(strconv.Itoa(firstBalance))); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := column.Create(t.Context(), v, "journal", column.Int64, nil); err != nil {
				t.Fatal(err)
			}
			busy := runBank(t, v, path, rollback)
			wantTransfers(t, v)
			check(t, v)
			t.Logf("%d transfers by %d clerks, who found the vault busy %d times", bankProcesses*bankHandles*bankClerks**transfers,
				bankProcesses*bankHandles*bankClerks, busy)
		})
	}
}

func runBank(t *testing.T, v *kvault.Vault, path string, rollback bool) (busy int64) {
	var running []*child
	for p := range bankProcesses {
		running = append(running, startChild(t, "bank", path, p*bankHandles*bankClerks, *transfers, rollback))
	}
	done := make(chan struct{})
	audited := make(chan error, 1)
	go func() { audited <- auditUntil(t.Context(), v, done) }()
	for _, c := range running {
		for c.lines.Scan() {
			met, err := strconv.ParseInt(c.lines.Text(), 10, 64)
			if err != nil {
				t.Error(err)
			}
			busy += met
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	if err := <-audited; err != nil {
		t.Error(err)
	}
	return busy
}

// wantTransfers goes through the journal: every transfer is in it once, and together they make the
// balances.
func wantTransfers(t *testing.T, v *kvault.Vault) {
	t.Helper()
	ctx := t.Context()
	journal, err := column.Open(ctx, v, "journal", column.Int64)
	if err != nil {
		t.Fatal(err)
	}
	var want [accounts]int
	next := map[int]int{}
	for n, err := range journal.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		x := decodeTransfer(n)
		if x.number != next[x.clerk] {
			t.Fatalf("transfer %d of clerk %d comes where %d should", x.number, x.clerk, next[x.clerk])
		}
		next[x.clerk]++
		want[x.from] -= x.amount
		want[x.to] += x.amount
	}
	for c := range bankProcesses * bankHandles * bankClerks {
		if next[c] != *transfers {
			t.Errorf("clerk %d has %d transfers in the journal, want %d", c, next[c], *transfers)
		}
	}
	err = v.View(ctx, func(tx *kvault.Tx) error {
		for n, change := range want {
			if got, err := balance(ctx, tx, n); err != nil || got != firstBalance+change {
				t.Errorf("%s holds %d (%v), want %d", account(n), got, err, firstBalance+change)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
