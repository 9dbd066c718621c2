package cluster

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is what a Proxy does to one request or its reply.
type Fault int

// The faults. Of each but the first three the server does what it was asked for.
const (
	None        Fault = iota
	DropRequest       // the connection ends, and the server sees nothing of the request
	Deny              // the proxy answers 503 itself
	DropReply         // the connection ends in place of the reply
	CutReply          // the connection ends in the middle of the reply's body, or before it if there is none
	DelayReply        // the reply comes late
	Repeat            // the server gets the request twice, and the client the second reply
	Deceive           // the reply is 500, in place of the server's
	faults
)

var faultNames = [faults]string{"none", "requests dropped", "denied", "replies dropped", "replies cut",
	"replies delayed", "requests repeated", "replies replaced by 500"}

func (f Fault) String() string { return faultNames[f] }

// Proxy passes requests on to servers in turn, and does faults to some. It keeps the Host header, so
// signatures stay valid, and holds each request in memory.
type Proxy struct {
	// URL is where it listens.
	URL string

	servers   []string
	plan      func(*http.Request) Fault
	late      time.Duration
	turn      atomic.Uint64
	counts    [faults]atomic.Int64
	transport *http.Transport
	server    *http.Server
	done      sync.WaitGroup
}

// NewProxy starts a proxy before servers, which are addresses HOST:PORT. plan chooses the fault of
// each request; nil chooses None. A delayed reply comes up to late later than it could. The caller
// closes the proxy.
func NewProxy(servers []string, late time.Duration, plan func(*http.Request) Fault) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		URL: "http://" + l.Addr().String(), servers: servers, plan: plan, late: late,
		// An idle connection to a gateway that was killed would fail a request that we caused no
		// fault to.
		transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true, Proxy: nil},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	p.done.Go(func() { _ = p.server.Serve(l) })
	return p, nil
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() error {
	err := p.server.Close()
	p.done.Wait()
	p.transport.CloseIdleConnections()
	return err
}

// Counts says how many of each fault there were.
func (p *Proxy) Counts() string {
	var list []string
	for f := DropRequest; f < faults; f++ {
		if n := p.counts[f].Load(); n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, f))
		}
	}
	return strings.Join(list, ", ")
}

// Count returns how many requests met a fault.
func (p *Proxy) Count(f Fault) int64 { return p.counts[f].Load() }

// ServeHTTP passes one request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fault := None
	if p.plan != nil {
		fault = p.plan(r)
	}
	p.counts[fault].Add(1)
	switch fault {
	case DropRequest:
		panic(http.ErrAbortHandler)
	case Deny:
		answer(w, http.StatusServiceUnavailable, "SlowDown")
		return
	case Repeat:
		if first, err := p.send(r, body); err == nil {
			_, _ = io.Copy(io.Discard, first.Body)
			_ = first.Body.Close()
		}
	}
	reply, err := p.send(r, body)
	if err != nil {
		panic(http.ErrAbortHandler) // the server is down
	}
	defer func() { _ = reply.Body.Close() }()
	p.pass(w, r, reply, fault)
}

// pass gives the reply to the client.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, reply *http.Response, fault Fault) {
	switch fault {
	case DropReply:
		panic(http.ErrAbortHandler)
	case Deceive:
		answer(w, http.StatusInternalServerError, "InternalError")
		return
	case DelayReply:
		select {
		case <-r.Context().Done():
		case <-time.After(rand.N(max(p.late, 1))):
		}
	}
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	if fault == CutReply && (reply.ContentLength <= 0 || r.Method == http.MethodHead) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(reply.StatusCode)
	if fault == CutReply {
		_, _ = io.CopyN(w, reply.Body, reply.ContentLength/2)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if _, err := io.Copy(w, reply.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// send gives a request to the next server, with its path as the client wrote it.
func (p *Proxy) send(r *http.Request, body []byte) (*http.Response, error) {
	server := p.servers[p.turn.Add(1)%uint64(len(p.servers))]
	path, _, _ := strings.Cut(r.RequestURI, "?")
	out := (&http.Request{
		Method: r.Method, Host: r.Host, Header: r.Header.Clone(),
		URL:  &url.URL{Scheme: "http", Host: server, Opaque: path, RawQuery: r.URL.RawQuery},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(r.Context())
	out.Header.Del("Expect")
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	return p.transport.RoundTrip(out)
}

func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>a fault of the test</Message></Error>", code)
}

// Sometimes is a plan that does one of these faults to one request in n, at random.
func Sometimes(n int, list ...Fault) func(*http.Request) Fault {
	return func(*http.Request) Fault {
		if rand.N(n) > 0 {
			return None
		}
		return list[rand.N(len(list))]
	}
}

// All are all faults.
func All() []Fault {
	return []Fault{DropRequest, Deny, DropReply, CutReply, DelayReply, Repeat, Deceive}
}
