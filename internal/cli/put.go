package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

type putFlags struct {
	contentType string
	meta        []string
	ifAbsent    bool
	ifTag       string
	as          choice
}

func (a *app) putCommand() *cobra.Command {
	flags := putFlags{as: choice{allowed: typedForms}}
	cmd := &cobra.Command{
		Use:     "put KEY [FILE|-]",
		GroupID: groupValues,
		Short:   "Store a file or standard input under a key",
		Long: `Store FILE, or standard input without one, under KEY. Readers see the old value
or the whole new one, and a failure leaves the old one. The vault is made if
there is none.

--as stores a typed value, as the Python package has them: the input is text for
text, a number for i64 and f64, nested lists of numbers in JSON for vec:TYPE,
and JSON for json, msgpack and cbor. raw keeps bytes that begin like a typed
value from being taken for one.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv put photos/cat.jpg cat.jpg
  tar c src | kvault -f media.kv put backups/src.tar --type application/x-tar
  echo '{"name": "Ada"}' | kvault -f media.kv put user:1 --as msgpack
  kvault -f media.kv put lock owner.txt --if-absent`,
		Args:              takes(1, 2, 1),
		ValidArgsFunction: a.completeKeyThen(cobra.ShellCompDirectiveDefault),
		RunE: a.action(func(ctx context.Context, args []string) error {
			from := "-"
			if len(args) == 2 {
				if from = args[1]; from == "" {
					return usagef(`put: the FILE is empty; "-" is standard input`)
				}
			}
			return a.put(ctx, args[0], from, flags)
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&flags.contentType, "type", "", "content type (default: by the key's extension or the first bytes)")
	fs.StringArrayVar(&flags.meta, "meta", nil, "metadata `NAME=VALUE` to keep beside the value; may be repeated")
	fs.BoolVar(&flags.ifAbsent, "if-absent", false, "fail if the key exists")
	fs.StringVar(&flags.ifTag, "if-tag", "", "fail unless the key exists with this version `tag`")
	fs.Var(&flags.as, "as", "store a typed value of the Python package")
	registerChoice(cmd, "as", flags.as.allowed)
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) put(ctx context.Context, key, from string, flags putFlags) error {
	o, err := flags.options()
	if err != nil {
		return err
	}
	var entry kvault.Entry
	if from == "-" {
		entry, err = a.putStdin(ctx, key, flags.as.value, o)
	} else {
		entry, err = a.putFile(ctx, key, from, flags.as.value, o)
	}
	if err != nil || !a.flags.json {
		return err
	}
	return a.emit(jsonEntry(entry))
}

func (f putFlags) options() (*kvault.PutOptions, error) {
	o := &kvault.PutOptions{ContentType: f.contentType, IfAbsent: f.ifAbsent, IfTag: f.ifTag}
	if f.ifAbsent && f.ifTag != "" {
		return nil, usagef("--if-absent and --if-tag exclude each other")
	}
	for _, pair := range f.meta {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--meta %q is not of the form NAME=VALUE", pair)
		}
		if o.User == nil {
			o.User = map[string]string{}
		}
		o.User[name] = value
	}
	return o, nil
}

func (a *app) putStdin(ctx context.Context, key, as string, o *kvault.PutOptions) (entry kvault.Entry, err error) {
	if a.terminal(a.sys.In) {
		a.note("Reading from the terminal; Ctrl-D ends the value.")
	}
	in := a.stdin(ctx)
	defer in.Close()
	err = a.withVault(ctx, creating, func(v *kvault.Vault) error {
		b := a.startBar("put", inBytes, -1)
		defer b.finish()
		entry, err = putAs(ctx, v, key, as, b.reader(in), o)
		return err
	})
	return entry, err
}

func (a *app) putFile(ctx context.Context, key, name, as string, o *kvault.PutOptions) (entry kvault.Entry, err error) {
	// Not opened yet: a vault must not be made for a file that is not there, and a vault's own file must not be opened.
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return entry, err
	case info.IsDir():
		return entry, fmt.Errorf("%s is a directory: 'kvault import' stores those", name)
	case a.vaultFiles().own(info):
		return entry, fmt.Errorf("%s is the vault itself", name)
	}
	err = a.withVault(ctx, creating, func(v *kvault.Vault) error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		entry, err = a.stream(ctx, v, key, as, f, o)
		return err
	})
	return entry, err
}

// stream stores what is left of an open file, with its modification time.
func (a *app) stream(ctx context.Context, v *kvault.Vault, key, as string, f fs.File, o *kvault.PutOptions) (kvault.Entry, error) {
	info, err := f.Stat()
	if err != nil {
		return kvault.Entry{}, err
	}
	total := int64(-1)
	if info.Mode().IsRegular() {
		total = info.Size()
		o.Size, o.SizeKnown, o.ModTime = total, true, info.ModTime()
	}
	b := a.startBar("put", inBytes, total)
	defer b.finish()
	return putAs(ctx, v, key, as, b.reader(f), o)
}

func putAs(ctx context.Context, v *kvault.Vault, key, as string, in io.Reader, o *kvault.PutOptions) (kvault.Entry, error) {
	if as == "" {
		return v.PutReader(ctx, key, in, o)
	}
	return putTyped(ctx, v, key, as, in, o)
}

// stdin is standard input, but reading it ends when ctx is cancelled even while there is nothing to read.
func (a *app) stdin(ctx context.Context) io.ReadCloser {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(w, a.sys.In)
		w.CloseWithError(err)
	}()
	return r
}
