package cli

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// loadTLS makes the TLS configuration that the flags ask for, if any.
func (f *serveFlags) loadTLS() error {
	switch {
	case f.cert != "":
		pair := &keyPair{cert: f.cert, key: f.key}
		if err := pair.load(); err != nil {
			return fmt.Errorf("--tls-cert %s with --tls-key %s: %w", f.cert, f.key, err)
		}
		f.certificates = &tls.Config{GetCertificate: pair.get}
	case f.acme != "":
		if err := os.MkdirAll(f.acmeDir, 0o700); err != nil {
			return fmt.Errorf("--acme-dir: %w", err)
		}
		manager := &autocert.Manager{
			Prompt:     autocert.AcceptTOS, // as the help says
			HostPolicy: autocert.HostWhitelist(f.acme),
			Cache:      autocert.DirCache(f.acmeDir),
			Email:      f.acmeEmail,
		}
		f.certificates = manager.TLSConfig()
	}
	return nil
}

// keyPair is a certificate that is read again when its file has changed, for those that another
// program renews.
type keyPair struct {
	cert, key string

	mu       sync.Mutex
	pair     *tls.Certificate
	modified time.Time // of cert, when pair was read
}

// load reads both files.
func (k *keyPair) load() error {
	info, err := os.Stat(k.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		return err
	}
	k.pair, k.modified = &pair, info.ModTime()
	return nil
}

// get returns the certificate for a connection. While the files do not go together, as in the midst
// of a renewal, it is the one before.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if info, err := os.Stat(k.cert); err == nil && !info.ModTime().Equal(k.modified) {
		_ = k.load()
	}
	return k.pair, nil
}
