// Package web serves a vault over HTTP, as a [net/http.Handler].
//
//	h, err := web.New(v, nil)
//	if err != nil {
//		return err
//	}
//	srv := h.Server()
//	srv.Addr = "127.0.0.1:8080"
//	err = srv.ListenAndServe()
//
// What is served where:
//
//	/v/KEY            the value of a key: GET, HEAD, PUT, PATCH, DELETE, COPY, MOVE
//	/api/v1/keys      keys, in pages
//	/api/v1/columns   columns, and /api/v1/columns/NAME the rows of one
//	/api/v1/archive   the values below a prefix, as a zip or tar
//	/api/v1/du        what folders come to
//	/api/v1/prefix    POST renames, copies or deletes a folder; /api/v1/delete many keys
//	/api/v1/stats     figures of the vault
//	/up/              uploads that go on after a break (tus)
//	/dav/             the vault as a WebDAV folder
//	/thumb/KEY        a small picture of an image, and /render/KEY Markdown as HTML
//	/                 a page to browse, upload and preview
//	/healthz          200 while the vault can be read, 503 when it cannot; open to everyone
//	/metrics          figures in the text format of Prometheus
//
// A key is percent-encoded in a URL and taken as the client wrote it: "//" and ".." are part of a
// key. Browsers and proxies change such paths, so a key may also be in the query, as in
// "/v/?key=..%2Fcat". Errors are JSON objects with the field "error". They tell nothing of the
// server's files; the log does, under the X-Request-Id of the answer.
//
// # Inside another program
//
// A Handler takes the root of a host, since links and the Destination header of COPY and MOVE hold
// whole paths. It does not work below a prefix with [net/http.StripPrefix]. Give it a host name or
// a port of its own, and hand it requests by their Host. An [net/http.ServeMux] in front cleans
// paths, so that of keys such as "a//b" it only lets those in the query through.
//
// # Who may do what
//
// Without tokens everyone who reaches the server may do everything, so listen on a loopback address
// only. With tokens each request must carry one, as a bearer token or as the password of basic
// authentication, in which the name does not count. Tokens can be for reading alone, and for the
// keys below a prefix alone. They are compared in constant time. Use secrets that no one can guess,
// such as 32 characters of [crypto/rand.Text], and TLS on every address that is not loopback: set
// TLSConfig of the Server. /metrics wants a token that may read every key, or without tokens a
// client on the same machine.
//
// Requests that change something are refused if the browser says that the page of another site
// sends them ([net/http.CrossOriginProtection]), and all requests if they name a host that is not
// the server's: see Options.Hosts.
//
// # Slow clients
//
// A client may keep the server waiting for a minute (Options.StallTimeout), and may take as long as
// it needs while bytes move. Handler.Server has the limits of [net/http.Server] that go with that;
// another server should set ReadHeaderTimeout, IdleTimeout, MaxHeaderBytes and, in HTTP2,
// WriteByteTimeout, and leave ReadTimeout and WriteTimeout 0. While it waits for a client, the
// server holds no lock and no transaction.
//
// The write-back cache of the vault stays as the caller enabled it. Handler.Shutdown flushes it.
package web
