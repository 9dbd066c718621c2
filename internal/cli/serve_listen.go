package cli

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// check completes the flags, or says which of them make no sense. Nothing was opened or made by
// then, apart from --acme-dir.
func (f *serveFlags) check() error {
	switch {
	case f.create && f.readOnly:
		return usagef("serve: --create and --read-only exclude each other")
	case (f.cert == "") != (f.key == ""):
		return usagef("serve: --tls-cert and --tls-key go together")
	case f.cert != "" && f.acme != "":
		return usagef("serve: --tls-cert and --acme exclude each other")
	case f.acme == "" && (f.acmeDir != "" || f.acmeEmail != ""):
		return usagef("serve: --acme-dir and --acme-email are for --acme")
	case f.acme != "" && f.acmeDir == "":
		return usagef("serve: --acme needs --acme-dir, where keys and certificates are kept")
	case f.grace < 0:
		return usagef("serve: --grace is negative; 0 does not wait at all")
	case f.stall <= 0:
		return usagef("serve: --stall-timeout must be above 0")
	case f.maxValue < 0:
		return usagef("serve: --max-value is negative; 0 is no limit")
	}
	if err := f.resolve(); err != nil {
		return err
	}
	if f.tokenFile != "" {
		var err error
		if f.tokens, err = readTokens(f.tokenFile); err != nil {
			return err
		}
	}
	if err := f.refusePublic(); err != nil {
		return err
	}
	return f.loadTLS()
}

// resolve finds the address of --listen, and the names by which it goes.
func (f *serveFlags) resolve() error {
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return usagef("serve: --listen %s: it is an address and a port, such as 127.0.0.1:8080", f.listen)
	}
	if f.addr, err = net.ResolveTCPAddr("tcp", f.listen); err != nil {
		return usagef("serve: --listen %s: %w", f.listen, err)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		f.hosts = append(f.hosts, host)
		f.urlHost = host
	}
	if f.acme != "" {
		f.hosts = append(f.hosts, f.acme)
		f.urlHost = f.acme
	}
	return nil
}

// refusePublic refuses an address that other machines reach unless there are tokens and TLS, or the
// user says that none are wanted. The address is what is listened on: a name was resolved before.
func (f *serveFlags) refusePublic() error {
	if f.addr.IP.IsLoopback() || f.insecurePublic {
		return nil
	}
	var missing []string
	if f.tokenFile == "" {
		missing = append(missing, "--token-file")
	}
	if f.cert == "" && f.acme == "" {
		missing = append(missing, "--tls-cert with --tls-key or --acme")
	}
	if len(missing) == 0 {
		return nil
	}
	return usagef("serve: other machines reach %s: it needs %s, or --insecure-public in a network "+
		"that may do everything; 127.0.0.1:%d is for this machine alone",
		f.listen, strings.Join(missing, " and "), f.addr.Port)
}

// url is the page of a server that listens on addr. All addresses of the machine are 127.0.0.1 too.
func (f *serveFlags) url(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	u := url.URL{Scheme: "http", Path: "/"}
	port := strconv.Itoa(tcp.Port)
	host := f.urlHost
	switch {
	case host != "":
	case tcp.IP.IsUnspecified():
		host = "127.0.0.1"
	default:
		host = tcp.IP.String()
	}
	u.Host = net.JoinHostPort(host, port)
	if f.certificates != nil {
		u.Scheme = "https"
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	return u.String()
}
