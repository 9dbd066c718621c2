package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// attempt is what is found out about one attempt of a request.
type attempt struct {
	streamed bool  // the answer is an object, which the SDK does not read
	through  *conn // or nil, as long as nothing was sent
}

type attemptKey struct{}

// with returns a context whose request tells a which connection it takes. Requests of others in
// this context, as for credentials, take none of ours.
func (a *attempt) with(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, attemptKey{}, a)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if c := connOf(i.Conn); c != nil {
			a.through = c
		}
	}})
}

func streamed(ctx context.Context) bool {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	return ok && a.streamed
}

// unsent is an error before anything was sent.
type unsent struct{ error }

func (u *unsent) Unwrap() error { return u.error }

// ended says of an attempt's error what the attempt knows. late: its time was up.
func (a *attempt) ended(b *Bucket, err error, late bool, limit time.Duration) error {
	if late {
		if a.through != nil {
			b.gateways.silent(a.through, b.c.AnswerTimeout/2)
		}
		err = fmt.Errorf("no answer within %v: %w", limit, errSilent)
	}
	if err != nil && a.through == nil {
		err = &unsent{err}
	}
	return err
}

var errSilent = errors.New("the server is silent")

// slowest is the least speed at which bodies are expected to be sent, in bytes a second.
const slowest = 1 << 20

// bounded returns one attempt of a request with a body of size bytes, within bounds of time. A
// gateway that is silent is passed by from then on.
func (b *Bucket) bounded(size int, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		limit := b.c.AnswerTimeout + time.Duration(size)*time.Second/slowest
		within, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		var a attempt
		err := fn(a.with(within))
		return a.ended(b, err, err != nil && within.Err() != nil && ctx.Err() == nil, limit)
	}
}

// try runs attempts until one succeeds, fails for good, or patience ends. unknown says that the
// request may have taken effect although the error says otherwise, or nothing of it.
func (b *Bucket) try(ctx context.Context, op, key string, patience time.Duration, fn func(context.Context) error) (unknown bool, err error) {
	began := time.Now()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if err := ctx.Err(); err != nil {
			return unknown, err
		}
		if err = fn(ctx); err == nil {
			return false, nil
		}
		switch kindOf(err) {
		case conditional, final:
			return unknown, err
		case garbled:
			return true, err
		case unanswered:
			unknown = true
		}
		if ctx.Err() != nil {
			return unknown, ctx.Err()
		}
		if took := time.Since(began); b.nobody(err) && took+wait > b.c.FirstPatience {
			return unknown, fmt.Errorf("no server has answered at %s; check the endpoint: gave up after %v: %w",
				b.where(), took.Round(time.Millisecond), err)
		} else if took+wait > patience {
			return unknown, fmt.Errorf("gave up after %v: %w", took.Round(time.Millisecond), err)
		}
		b.c.Log.InfoContext(ctx, "a request to S3 is repeated", "op", op, "key", key, "error", err)
		if err := pause(ctx, wait/2+rand.N(wait)); err != nil {
			return unknown, err
		}
	}
}

// nobody reports whether nothing could be sent, and no server has ever answered.
func (b *Bucket) nobody(err error) bool {
	_, nothing := errors.AsType[*unsent](err)
	return nothing && !b.gateways.heard.Load()
}

// where names the endpoints.
func (b *Bucket) where() string {
	if len(b.c.Endpoints) == 0 {
		return "the endpoint of AWS, or of the environment"
	}
	return strings.Join(b.c.Endpoints, ", ")
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeat is try for small requests that can be repeated without harm.
func (b *Bucket) repeat(ctx context.Context, op, key string, fn func(context.Context) error) error {
	_, err := b.try(ctx, op, key, b.c.Patience, b.bounded(0, fn))
	return b.fail(op, key, err)
}

// httpClient bounds answers, which the SDK reads whole unless they are objects, and refuses those
// of somebody between us and the server.
type httpClient struct{ *http.Client }

const (
	// mostAnswer is that of a listing of 1,000 keys of 1,024 bytes, each of which takes three
	// characters in a URL, and what else is said of them. mostError is that of an error.
	mostAnswer = 8 << 20
	mostError  = 16 << 10
)

func (c httpClient) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.Client.Do(r)
	if err != nil {
		return answer, err
	}
	status := answer.StatusCode
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") && (r.Method == http.MethodDelete && status < 300 ||
		status >= 400 && status < 500 && status != http.StatusTooManyRequests) {
		// Whoever wrote that knows nothing of objects: not even that one is missing, or deleted.
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%w: status %d, and HTML in place of XML: is there a proxy before it?", errAnswer, status)
	}
	limit := int64(mostAnswer)
	if status >= 300 {
		limit = mostError
	} else if streamed(r.Context()) {
		return answer, nil
	}
	answer.Body = &limited{answer.Body, limit}
	return answer, nil
}

type limited struct {
	io.ReadCloser
	left int64
}

func (b *limited) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// connOf returns our connection below one of TLS.
func connOf(c net.Conn) *conn {
	for c != nil {
		if own, ok := c.(*conn); ok {
			return own
		}
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = inner.NetConn()
	}
	return nil
}
