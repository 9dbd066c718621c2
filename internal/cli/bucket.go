package cli

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
)

// schemes are the addresses that the command knows besides files: SQLite would make a file in a
// directory "s3:".
var schemes = []string{"s3", "http", "https"}

// schemeOf returns the scheme of an address in lower case, or nothing for a file.
func schemeOf(file string) string {
	scheme, _, found := strings.Cut(file, "://")
	if scheme = strings.ToLower(scheme); found && slices.Contains(schemes, scheme) {
		return scheme
	}
	return ""
}

// isBucket reports whether a location is an address of a bucket, not a file.
func isBucket(location string) bool { return schemeOf(location) == "s3" }

// inBucket reports whether the vault that the flags name is in a bucket, not a file.
func (a *app) inBucket() bool { return isBucket(a.flags.file) }

// vaultName is the vault as messages name it.
func (a *app) vaultName() string { return locationName(a.flags.file) }

// locationName is a location as messages name it: an address without what follows the prefix.
func locationName(location string) string {
	if schemeOf(location) == "" {
		return location
	}
	name, _, _ := strings.Cut(location, "?")
	return name
}

// checkAddress refuses addresses of other kinds, and flags that only a file has.
func (a *app) checkAddress(cmd *cobra.Command) error {
	if cmd.Name() == "copy" {
		return nil // whose vaults are its arguments
	}
	if err := checkLocation("-f", a.flags.file); err != nil || !a.inBucket() {
		return err
	}
	if a.flags.table != "" {
		return usagef("--table: a vault in a bucket has one table of keys; "+
			"another prefix is another vault, as in -f s3://BUCKET/PREFIX-%s", a.flags.table)
	}
	if f := cmd.Flags().Lookup("one-row"); f != nil && f.Changed && a.flags.oneRow {
		return errOneRow
	}
	return nil
}

var errOneRow = usagef("--one-row: there are no rows in a bucket; " +
	"it is for files that the Python package reads")

// checkLocation refuses what names neither a file nor a bucket. Its errors, which begin with what
// the location is of, repeat nothing of an address that may hold a secret.
func checkLocation(what, location string) error {
	switch scheme := schemeOf(location); scheme {
	case "s3":
		return checkBucketURL(what, location)
	case "http", "https":
		return usagef("%s: a vault is a file or in a bucket: %s:// is neither. A bucket of that server is "+
			"s3://BUCKET/PREFIX?endpoint=%[2]s://HOST, and a file of that name ./%[2]s:/...", what, scheme)
	}
	return nil
}

// checkBucketURL refuses what the engine would, where its error would show the address.
func checkBucketURL(what, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return usagef("%s: this is no address of a bucket; "+
			"want s3://BUCKET/PREFIX?endpoint=https://HOST", what)
	case u.User != nil, slices.ContainsFunc(endpointsOf(u), func(e *url.URL) bool { return e.User != nil }):
		return usagef("%s: an address holds no key and no password, for every user of this machine can "+
			"read it: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a profile", what)
	case u.Host == "":
		return usagef("%s: the address names no bucket; want s3://BUCKET/PREFIX", what)
	}
	return nil
}

// endpointsOf returns the endpoints in the query of an address, as far as they are URLs.
func endpointsOf(u *url.URL) (list []*url.URL) {
	for _, all := range u.Query()["endpoint"] {
		for one := range strings.SplitSeq(all, ",") {
			if e, err := url.Parse(one); err == nil {
				list = append(list, e)
			}
		}
	}
	return list
}

// needsFile refuses a vault in a bucket for a command that is about files.
func (a *app) needsFile(command, instead string) error {
	if !a.inBucket() {
		return nil
	}
	return usagef("%s: %s is no file; %s", command, a.vaultName(), instead)
}

// copyInstead is what to use in the place of backup and restore.
const copyInstead = "'kvault copy FROM TO' copies a vault into another, such as a file, and goes on where it was interrupted"

// openBucket opens the vault at an address.
func (a *app) openBucket(
	ctx context.Context, address string, acc access,
) (*kvault.Vault, error) {
	s, err := a.openStore(ctx, address, acc == reading)
	if err != nil {
		return nil, err
	}
	o := a.options(acc)
	o.Table = "" // that of a file which copy has on its other side
	v, err := kvault.New(s, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return v, nil
}

// openStore opens the store at an address.
func openStore(ctx context.Context, address string, readOnly bool) (engine.Store, error) {
	return s3.Open(ctx, address, &s3.Options{ReadOnly: readOnly})
}
