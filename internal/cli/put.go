package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/contenttype"
	"github.com/kohakuvault/kvault/typed"
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
		Use:     "put KEY [FILE|-] | put FOLDER/ FILE...",
		GroupID: groupValues,
		Short:   "Store a file or standard input under a key",
		Long: `Store FILE, or standard input without one, under KEY. Readers see the old value
or the whole new one, and a failure leaves the old one. The vault is made if
there is none. A FILE that grows meanwhile is stored as long as it was at first;
one that becomes shorter or is written over is refused.

A KEY that ends with "/" and has FILEs behind it is a folder. Each FILE goes
into it under its own name. If some cannot be stored the others are, and the
exit code is 3.

--as stores a typed value, as the Python package has them: the input is text for
text, a number for i64 and f64, nested lists of numbers in JSON for vec:TYPE,
and JSON for json, msgpack and cbor. raw keeps bytes that begin like a typed
value from being taken for one.

` + exitHelp(exitSome, exitNotFound),
		Example: `  kvault -f media.kv put photos/cat.jpg cat.jpg
  kvault -f media.kv put photos/ *.jpg
  tar c src | kvault -f media.kv put backups/src.tar --type application/x-tar
  echo '{"name": "Ada"}' | kvault -f media.kv put user:1 --as msgpack
  kvault -f media.kv put lock owner.txt --if-absent`,
		Args:              takes(1, -1, 1),
		ValidArgsFunction: a.completeKeyThen(cobra.ShellCompDirectiveDefault),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if len(args) > 2 || len(args) == 2 && isFolder(args[0]) && args[1] != "-" && args[1] != "" {
				return a.putFiles(ctx, args[0], args[1:], flags)
			}
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
	fs.StringVar(&flags.contentType, "type", "", "content type, or none (default: by the extension of the key or FILE, or the first bytes)")
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
	src, err := a.openSource(ctx, from)
	if err != nil {
		return err
	}
	defer src.Close()
	src.describe(key, o)
	in, err := a.prepare(ctx, key, flags.as.value, src, o)
	if err != nil {
		return err
	}
	acc := creating
	if o.IfTag != "" { // a vault that is not there has no version of any key
		acc = changing
	}
	return a.withVault(ctx, acc, func(v *kvault.Vault) error {
		_, err := a.storeSource(ctx, v, key, src, in, flags.as.value, o)
		return err
	})
}

// storeSource stores in, which is what prepare made of src, and reports it.
func (a *app) storeSource(
	ctx context.Context, v *kvault.Vault, key string, src *putSource, in io.Reader, as string,
	o *kvault.PutOptions,
) (kvault.Entry, error) {
	b := a.startProgress("put", inBytes, src.total)
	entry, err := putAs(ctx, v, key, as, b.reader(in), o)
	b.finish()
	if err != nil {
		return entry, err
	}
	if src.file != nil && src.file.grew {
		a.note("%s", grewNote(src.name, entry.Size))
	}
	if !a.flags.json {
		return entry, nil
	}
	return entry, a.emit(jsonEntry(entry))
}

func (f putFlags) options() (*kvault.PutOptions, error) {
	o := &kvault.PutOptions{ContentType: f.contentType, IfAbsent: f.ifAbsent, IfTag: f.ifTag}
	if f.ifAbsent && f.ifTag != "" {
		return nil, usagef("--if-absent and --if-tag exclude each other")
	}
	var err error
	o.User, err = parsePairs("meta", f.meta)
	return o, err
}

// parsePairs reads the values of a flag, NAME=VALUE each. Of those with one name the last counts.
func parsePairs(flag string, list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	pairs := make(map[string]string, len(list))
	for _, pair := range list {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--%s %q is not of the form NAME=VALUE", flag, pair)
		}
		pairs[name] = value
	}
	return pairs, nil
}

// putSource is where a value comes from.
type putSource struct {
	io.ReadCloser
	name  string       // of the file, or empty
	total int64        // below 0 if it is not known
	file  *sizedReader // nil if it is no regular file
}

// openSource opens standard input, or the named file. That is done before the vault is, since a
// vault must not be made for a file that cannot be read, and after it was examined, since a vault's
// own file must not be opened.
func (a *app) openSource(ctx context.Context, name string) (*putSource, error) {
	if name == "-" {
		if a.terminal(a.sys.In) {
			a.note("Reading from the terminal; Ctrl-D ends the value.")
		}
		return &putSource{ReadCloser: a.stdin(ctx), total: -1}, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: 'kvault import' stores those", name)
	case a.vaultFiles().isMain(info):
		return nil, fmt.Errorf("%s is the vault itself", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	src := &putSource{ReadCloser: f, name: name, total: -1}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Mode().IsRegular() {
		src.file = newSizedReader(f, info)
		if src.total = info.Size(); src.total == 0 {
			src.total = -1
		}
	}
	return src, nil
}

func (s *putSource) Read(p []byte) (int, error) {
	if s.file != nil {
		return s.file.Read(p)
	}
	return s.ReadCloser.Read(p)
}

// describe adds to o what the source says of the value.
func (s *putSource) describe(key string, o *kvault.PutOptions) {
	if s.file == nil {
		return
	}
	if s.file.trusted {
		o.Size, o.SizeKnown = s.total, true
	}
	o.ModTime = s.file.info.ModTime()
	if o.ContentType == "" && contenttype.ByName(key) == "" {
		o.ContentType = contenttype.ByName(filepath.ToSlash(s.name))
	}
}

// prepare returns what is to be stored. It fails, before a vault is made, if the vault would refuse
// it.
func (a *app) prepare(ctx context.Context, key, as string, src io.Reader, o *kvault.PutOptions) (io.Reader, error) {
	if fit := engine.FitModTime(o.ModTime); !o.ModTime.IsZero() && !fit.Equal(o.ModTime) {
		a.note("%s", timeNote(key, o.ModTime, fit))
		o.ModTime = fit
	}
	start := bufio.NewReader(src)
	if _, err := start.Peek(1); err != nil && err != io.EOF {
		return nil, named("put", key, err)
	}
	in := io.Reader(start)
	if as != "" && as != "raw" && as != "text" {
		b, err := encodeInput(as, start)
		if err != nil {
			return nil, named("put", key, err)
		}
		in = bytes.NewReader(b)
	}
	if !a.missing() {
		return in, nil
	}
	trial := kvault.PutOptions{ContentType: o.ContentType, ModTime: o.ModTime, User: o.User}
	return in, a.tryInMemory(ctx, func(v *kvault.Vault) error {
		_, err := v.PutWith(ctx, key, nil, &trial)
		return err
	})
}

// putAs stores what prepare returned.
func putAs(ctx context.Context, v *kvault.Vault, key, as string, in io.Reader, o *kvault.PutOptions) (kvault.Entry, error) {
	switch as {
	case "":
		return v.PutReader(ctx, key, in, o)
	case "raw":
		return typed.PutReader(ctx, v, key, typed.Raw, in, o)
	case "text":
		return typed.PutReader(ctx, v, key, typed.Text, in, o)
	}
	c := *o
	c.Size, c.SizeKnown = 0, false
	if c.ContentType == "" {
		c.ContentType = "application/octet-stream" // the key's extension would say what the header makes untrue
	}
	return v.PutReader(ctx, key, in, &c)
}

// stdin is standard input, but reading it ends when ctx is cancelled even while there is nothing to
// read.
func (a *app) stdin(ctx context.Context) io.ReadCloser {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(w, a.sys.In)
		w.CloseWithError(err)
	}()
	return r
}
