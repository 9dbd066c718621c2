package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Bucket is an object.Bucket of a server.
type Bucket struct {
	c         Config
	api       *s3.Client
	transport *http.Transport
	gateways  *gateways
	can       object.Abilities
	quoted    bool // the server wants ETags of conditions in quotes, as HTTP has them
	location  string
}

var _ object.Bucket = (*Bucket)(nil)

// Open connects to a bucket, which must exist, and probes it with throw-away objects: a server that
// ignores the conditions of PutObject is refused with engine.ErrUnsupported, every time. With
// Config.ReadOnly it lists one object in place of that.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	c.defaults()
	if c.Bucket == "" {
		return nil, invalid("it names no bucket")
	}
	if err := c.checkEndpoints(); err != nil {
		return nil, err
	}
	g, err := newGateways(c.Endpoints, c.AnswerTimeout, c.Log)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: g.dial, ForceAttemptHTTP2: false,
		MaxIdleConns: 2 * c.Parallel, MaxIdleConnsPerHost: c.Parallel, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout:    c.AnswerTimeout, // and all of each attempt is bounded
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	b := &Bucket{c: c, transport: t, gateways: g}
	debug := logging.LoggerFunc(func(class logging.Classification, format string, v ...any) {
		c.Log.Debug(fmt.Sprintf(format, v...), "from", "SDK of AWS", "class", class)
	})
	settings := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // an outcome that is not known must be told
		config.WithLogger(debug),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	}
	if c.Region != "" {
		settings = append(settings, config.WithRegion(c.Region))
	}
	if c.Profile != "" {
		settings = append(settings, config.WithSharedConfigProfile(c.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, settings...)
	if err != nil {
		return nil, fmt.Errorf("configuration for S3: %w", err)
	}
	if err := haveCredentials(ctx, cfg); err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // which means nothing to servers other than AWS, and leads there elsewhere
	}
	if made, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		t.TLSClientConfig = made.GetTransport().TLSClientConfig // which has the certificates of AWS_CA_BUNDLE
	}
	b.api = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.HTTPClient = httpClient{&http.Client{
			Transport: t,
			// Another host must not get a signed request.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		if len(c.Endpoints) > 0 {
			o.BaseEndpoint = aws.String(c.Endpoints[0])
		}
		o.UsePathStyle = o.BaseEndpoint != nil // whose hosts need not have names for buckets
	})
	b.location = "s3://" + c.Bucket + "/" + c.Prefix
	if len(c.Endpoints) > 0 {
		b.location += "?endpoint=" + strings.Join(c.Endpoints, ",")
	}
	if c.ReadOnly {
		_, err = b.List(ctx, object.Query{Prefix: c.Prefix, Limit: 1})
	} else {
		err = b.probe(ctx)
	}
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

// writable fails if the bucket is for reading only.
func (b *Bucket) writable(op, key string) error {
	if b.c.ReadOnly {
		return fmt.Errorf("%s %q: %w", op, key, engine.ErrReadOnly)
	}
	return nil
}

// haveCredentials looks for credentials, so that Open can say that there are none before it asks
// the server for anything.
func haveCredentials(ctx context.Context, cfg aws.Config) error {
	if cfg.Credentials == nil {
		return fmt.Errorf("%w", errNoCredentials)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	return nil
}

var errNoCredentials = errors.New("no credentials for S3 found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
	"or name a profile of ~/.aws/credentials with profile= or AWS_PROFILE, or log in with aws sso login, or give the machine a role")

// Abilities says what was found out about the bucket.
func (b *Bucket) Abilities() object.Abilities { return b.can }

// Location is the address of the bucket.
func (b *Bucket) Location() string { return b.location }

// Close closes connections that no request uses.
func (b *Bucket) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// name makes a name that no other object has.
func name() string { return rand.Text() }
