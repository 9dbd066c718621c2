// Package workload writes to a vault and reads from it while a test kills what the vault stands on,
// and finds every loss: values prove themselves, and a record of what was acknowledged says which of
// them must be there. It has no code of the product's; its tests show that it catches a vault that
// loses, doubles, mixes up or resurrects.
//
// A write that returned an error may have taken effect, at most once. One that was acknowledged must
// be there from then on.
package workload

import (
	"context"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kohakuvault/kvault"
)

// Vault is what the workloads call of a *kvault.Vault.
type Vault interface {
	Put(ctx context.Context, key string, value []byte) error
	PutWith(ctx context.Context, key string, value []byte, o *kvault.PutOptions) (kvault.Entry, error)
	PutReader(ctx context.Context, key string, r io.Reader, o *kvault.PutOptions) (kvault.Entry, error)
	Get(ctx context.Context, key string) ([]byte, error)
	GetTo(ctx context.Context, key string, w io.Writer) (int64, error)
	Pop(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) (bool, error)
	DeleteIf(ctx context.Context, key, tag string) error
	Keys(ctx context.Context, o *kvault.ListOptions) iter.Seq2[string, error]
	FlushCache(ctx context.Context) (int, error)
}

var _ Vault = (*kvault.Vault)(nil)

// callTime bounds each call, so that a workload ends whatever the vault does. A call that takes
// longer counts as refused.
const callTime = 5 * time.Minute

// Report counts what a workload did. It is safe for concurrent use.
type Report struct {
	mu sync.Mutex
	// Acked and Refused count the calls that write and returned nil, or an error; NotKnown the values
	// that are nowhere although a call that would have removed and returned them failed.
	Acked, Refused, NotKnown int64
	// Reads and Unread count the calls that read and returned nil, or an error.
	Reads, Unread int64
	// Longest is the time that the slowest acknowledged write took.
	Longest time.Duration
	// Errors counts the errors by their text, without what differs between calls.
	Errors map[string]int
	// Wrong describes each loss and each wrong answer. It must be empty.
	Wrong []string
}

// call makes one call that writes, and counts it, unless its error is one of those expected.
func (r *Report) call(ctx context.Context, fn func(ctx context.Context) error, expected ...error) error {
	began := time.Now()
	err := bounded(ctx, fn)
	took := time.Since(began)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.Acked++
		r.Longest = max(r.Longest, took)
	case !isAny(err, expected):
		r.Refused++
		r.fail(err)
	}
	return err
}

// read makes one call that reads. Errors other than those in expected are counted.
func (r *Report) read(ctx context.Context, fn func(ctx context.Context) error, expected ...error) error {
	err := bounded(ctx, fn)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && !isAny(err, expected) {
		r.Unread++
		r.fail(err)
	} else {
		r.Reads++
	}
	return err
}

// bounded calls fn with a context that the end of the workload does not end.
func bounded(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	return fn(ctx)
}

// differs is what errors of one kind differ in: keys, URLs, numbers of requests.
var differs = regexp.MustCompile(`"[^"]*"|(?:RequestID|HostID): [^,]*`)

func (r *Report) fail(err error) {
	if r.Errors == nil {
		r.Errors = map[string]int{}
	}
	text := differs.ReplaceAllString(err.Error(), "…")
	r.Errors[text[:min(len(text), 160)]]++
}

func (r *Report) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

func (r *Report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d writes acknowledged, %d refused, %d values not known, longest write %.2f s; %d reads, %d refused; %d wrong",
		r.Acked, r.Refused, r.NotKnown, r.Longest.Seconds(), r.Reads, r.Unread, len(r.Wrong))
}

// Details returns the errors with their counts, most frequent first, one a line.
func (r *Report) Details() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := make([]string, 0, len(r.Errors))
	for text := range r.Errors {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int { return r.Errors[b] - r.Errors[a] })
	var b strings.Builder
	for _, text := range texts[:min(len(texts), 12)] {
		fmt.Fprintf(&b, "%6d × %s\n", r.Errors[text], text)
	}
	return b.String()
}

// parallel calls fn n times at once, with the numbers from 0 on.
func parallel(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}
