// Package client is a bucket of a server that speaks the protocol of S3. It may not know what the
// objects mean.
//
// It signs all of each request, sends bodies from memory, and repeats what can be repeated. Where a
// conditional write got no answer, or one that its own earlier attempt may have caused, the error
// is object.ErrUnknown. Several gateways of one cluster take turns; one that accepts connections
// and does not answer is passed by.
package client

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Config says where a bucket is. Region, profile and credentials come the way the AWS tools take
// them, unless given here.
type Config struct {
	Bucket string
	// Prefix begins the keys of a vault. Here it is for throw-away objects that probe the bucket.
	Prefix string
	// Endpoints are the gateways of one cluster, as URLs. The first names the host for which
	// requests are signed. Without any, it is AWS, or what the environment says.
	Endpoints []string
	Region    string
	Profile   string
	// AnswerTimeout is how long a server may be silent. Default 10 s. Patience is how long a
	// request is tried again; default 30 s, and for a part of a large object ten times that.
	AnswerTimeout, Patience time.Duration
	// FirstPatience is how long a request is tried again as long as no server has ever answered,
	// and none can be connected to, as where the endpoint is wrong. Default 5 s, and at most
	// Patience.
	FirstPatience time.Duration
	// ReadOnly: Open writes nothing, and so does not find out what the bucket honours. Put, Delete,
	// Begin and Abort fail with engine.ErrReadOnly.
	ReadOnly bool
	// Parallel is how many connections are kept. Default 64.
	Parallel int
	// Log, if not nil, is told of requests that are repeated and gateways that are passed by.
	Log *slog.Logger
}

func (c *Config) defaults() {
	if c.AnswerTimeout <= 0 {
		c.AnswerTimeout = 10 * time.Second
	}
	if c.Patience <= 0 {
		c.Patience = 30 * time.Second
	}
	if c.FirstPatience <= 0 {
		c.FirstPatience = 5 * time.Second
	}
	c.FirstPatience = min(c.FirstPatience, c.Patience)
	if c.Parallel <= 0 {
		c.Parallel = 64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// parameters are what the query of an address may have.
var parameters = []string{"endpoint", "region", "profile"}

// Parse reads "s3://bucket/prefix?endpoint=https://a,https://b&region=…&profile=…". The prefix of
// the result is empty or ends in a slash. Errors do not repeat the address, which may hold a
// secret.
func Parse(address string) (c Config, err error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "s3":
		return c, invalid("it is not like s3://BUCKET/PREFIX?endpoint=https://HOST")
	case u.User != nil:
		return c, invalid("it has a user or password: credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a profile")
	case u.Host == "":
		return c, invalid("it names no bucket")
	case u.Fragment != "":
		return c, invalid("it has a #: write %%23 in a prefix")
	case strings.ContainsAny(u.Host, ":_") || u.Host != strings.ToLower(u.Host) || len(u.Host) < 3 || len(u.Host) > 63:
		return c, invalid("%q is no name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens", u.Host)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return c, invalid("what follows the ? is not like endpoint=https://HOST&region=NAME")
	}
	for name, values := range query {
		switch {
		case !slices.Contains(parameters, name):
			return c, invalid("unknown parameter %q: want one of %q", name, parameters)
		case len(values) > 1 && name != "endpoint":
			return c, invalid("parameter %q is there twice", name)
		}
	}
	c.Bucket, c.Prefix = u.Host, strings.Trim(u.Path, "/")
	if c.Prefix != "" {
		c.Prefix += "/"
	}
	c.Region, c.Profile = query.Get("region"), query.Get("profile")
	for _, list := range query["endpoint"] {
		c.Endpoints = append(c.Endpoints, strings.Split(list, ",")...)
	}
	return c, c.checkEndpoints()
}

// checkEndpoints refuses what is no endpoint, and makes the others alike.
func (c *Config) checkEndpoints() error {
	c.Endpoints = slices.Clone(c.Endpoints)
	for i, text := range c.Endpoints {
		e, err := url.Parse(text)
		switch {
		case err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "":
			return invalid("endpoint number %d is not like https://HOST or https://HOST:PORT", i+1)
		case e.User != nil:
			return invalid("endpoint number %d has a user or password: credentials come from the environment or from a profile", i+1)
		case strings.Trim(e.Path, "/") != "" || e.RawQuery != "" || e.Fragment != "":
			return invalid("endpoint number %d has something behind the host", i+1)
		case i > 0 && !strings.HasPrefix(c.Endpoints[0], e.Scheme+"://"):
			return invalid("endpoints are of http and of https: choose one")
		}
		c.Endpoints[i] = e.Scheme + "://" + e.Host
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("address of the bucket: "+format+": %w", append(args, engine.ErrInvalid)...)
}
