package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

type serveFlags struct {
	listen           string
	hosts            []string
	tokenFile        string
	readOnly, create bool
	cert, key        string
	acme, acmeDir    string
	acmeEmail        string
	insecurePublic   bool
	maxValue         int64
	stall, grace     time.Duration
	tokens           []web.Token // of tokenFile
	addr             *net.TCPAddr
	certificates     *tls.Config // nil: no TLS
	urlHost          string
}

const serveHelp = `Serve the vault until it is interrupted: a page to browse and upload at /, each
value at /v/KEY, an API below /api/v1/, resumable uploads (tus) at /up/, WebDAV
at /dav/, /metrics and /healthz. The URL goes to standard output once it can be
opened, and the log to standard error, as JSON with --json.

Only this machine reaches the default address. Any other address needs tokens
and TLS: --token-file, and --tls-cert with --tls-key or --acme. With
--insecure-public it does without, in a network that may do everything.

A token file has a token a line, and only its owner may read it:

  SECRET read|write [PREFIX]

SECRET has at least 16 characters. "write" includes reading. A token with PREFIX
is for that folder of the vault only. Lines that begin with # are comments.
Clients send SECRET as the password, under any user name, or as a bearer token.

Requests must name the server by its address, as localhost, or by a name that
--listen, --host or --acme has. Behind a proxy, --host is the name that it
passes on.

--acme HOST gets the certificate of HOST from Let's Encrypt, whose terms you
accept by it, and renews it. Port 443 of HOST must lead to this server. Keys and
certificates are in the directory --acme-dir. A --tls-cert that has changed is
read again.

On an interrupt it takes no more requests, and lets those under way end for as
long as --grace; a second interrupt ends it at once. It exits with 0 then.

`

func (a *app) serveCommand() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:     "serve",
		GroupID: groupVault,
		Short:   "Serve the vault over HTTP: a page, an API, WebDAV",
		Long:    serveHelp + exitHelp(),
		Example: `  kvault -f media.kv serve
  kvault -f media.kv serve --listen 127.0.0.1:0 --read-only
  kvault -f media.kv serve --listen :443 --token-file tokens --acme vault.example --acme-dir acme`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.action(func(ctx context.Context, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			return a.serve(ctx, &flags)
		}),
	}
	flags.register(cmd.Flags())
	a.flags.registerWrite(cmd)
	return cmd
}

func (f *serveFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8080",
		"`ADDRESS:PORT` to serve on; port 0 is any free one")
	fs.StringArrayVar(&f.hosts, "host", nil,
		"`NAME` that requests may have for this server; may be repeated")
	fs.StringVar(&f.tokenFile, "token-file", "",
		"`FILE` with the tokens; without it no request needs one")
	fs.BoolVar(&f.readOnly, "read-only", false, "open the vault read-only, and refuse every change")
	fs.BoolVar(&f.create, "create", false, "make the vault if it is missing")
	fs.StringVar(&f.cert, "tls-cert", "", "`FILE` with the certificate and its chain, in PEM")
	fs.StringVar(&f.key, "tls-key", "", "`FILE` with the key of the certificate, in PEM")
	fs.StringVar(&f.acme, "acme", "", "get a certificate for `HOST` from Let's Encrypt")
	fs.StringVar(&f.acmeDir, "acme-dir", "", "`DIRECTORY` for what --acme keeps")
	fs.StringVar(&f.acmeEmail, "acme-email", "", "`ADDRESS` for news about the certificate")
	fs.BoolVar(&f.insecurePublic, "insecure-public", false,
		"let other machines in without tokens or TLS")
	fs.Int64Var(&f.maxValue, "max-value", 0, "refuse bodies of more than `BYTES` (default: no limit)")
	fs.DurationVar(&f.stall, "stall-timeout", web.DefaultStallTimeout,
		"how long a client may leave the server waiting")
	fs.DurationVar(&f.grace, "grace", 30*time.Second,
		"how long requests may take to end after an interrupt")
}

// serveCacheKB is the page cache in KiB. With the vault's default a PUT of 1 GiB takes the process
// to 140 MiB of memory, with this to 92.
const serveCacheKB = 48 << 10

// serve listens before it opens the vault, so that none is made for a server that cannot start.
func (a *app) serve(ctx context.Context, flags *serveFlags) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", flags.addr.String())
	if err != nil {
		return fmt.Errorf("%w; --listen names another address, and port 0 is any free one", err)
	}
	defer listener.Close()
	mode := changing
	switch {
	case flags.readOnly:
		mode = reading
	case flags.create:
		mode = creating
	}
	a.cacheKB = serveCacheKB
	err = a.withVault(ctx, mode, func(v *kvault.Vault) error {
		logger := a.logger()
		h, err := web.New(v, &web.Options{
			ReadOnly: flags.readOnly, Tokens: flags.tokens, Hosts: flags.hosts, Logger: logger,
			StallTimeout: flags.stall, MaxValue: flags.maxValue,
		})
		if err != nil {
			return usagef("serve: %w", err)
		}
		if err := a.tellURL(flags.url(listener.Addr())); err != nil {
			return err
		}
		srv := h.Server()
		srv.TLSConfig = flags.certificates
		return runServer(ctx, srv, h, listener, flags.grace, logger)
	})
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Canceled) {
		// An interrupt is how a server ends, and must not hide that the end went wrong.
		a.complain(err, exitFailure)
	}
	return err
}

// logger writes to standard error.
func (a *app) logger() *slog.Logger {
	o := &slog.HandlerOptions{}
	if a.flags.quiet {
		o.Level = slog.LevelError
	}
	if a.flags.json {
		return slog.New(slog.NewJSONHandler(a.sys.Err, o))
	}
	return slog.New(slog.NewTextHandler(a.sys.Err, o))
}

// tellURL prints the URL at once, for whoever waits for it.
func (a *app) tellURL(url string) error {
	var err error
	if a.flags.json {
		err = a.emit(struct {
			URL string `json:"url"`
		}{url})
	} else {
		a.note("Serving %s. Interrupt it to stop.", a.vaultName())
		err = a.printf("%s\n", url)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.out.Flush()
}

// runServer serves until ctx ends, and then lets the requests under way end.
func runServer(ctx context.Context, srv *http.Server, h *web.Handler, l net.Listener,
	grace time.Duration, logger *slog.Logger) error {
	failed := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			failed <- srv.ServeTLS(l, "", "")
		} else {
			failed <- srv.Serve(l)
		}
	}()
	select {
	case err := <-failed:
		return errors.Join(err, h.Shutdown(ctx))
	case <-ctx.Done():
	}
	ctx = context.WithoutCancel(ctx)
	ending, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var closing error
	if err := srv.Shutdown(ending); err != nil {
		logger.Warn("requests were cut off that took longer than --grace", "grace", grace)
		closing = srv.Close()
	}
	<-failed
	// Requests that were cut off end soon, for the server has cancelled their contexts.
	flushing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return errors.Join(closing, h.Shutdown(flushing))
}
