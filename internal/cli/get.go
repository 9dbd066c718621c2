package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

type getFlags struct {
	byteRange   string
	forceBinary bool
	typed       bool
}

func (a *app) getCommand() *cobra.Command {
	var flags getFlags
	cmd := &cobra.Command{
		Use:     "get KEY [FILE|-] | get KEY... DIR/",
		GroupID: groupValues,
		Short:   "Write a value to a file or to standard output",
		Long: `Write the value of KEY to FILE, or to standard output without one. FILE changes
only once the whole value is there and matches its checksum; a failure leaves
it as it was. A symbolic link stays, and the file that it leads to changes. A
pipe, a device and a file that is open already, such as /dev/stdout, are written
to as they are.

Several KEYs go into the directory DIR, which ends with "/" then, under the last
part of their names. If some cannot be written the others are, and the exit code
is 3.

A binary value is not written to a terminal unless "-" or --force-binary asks
for it.

--range A-B writes the bytes from A to B, both included and counted from 0; A-
means to the end and -N the last N.

--typed decodes a typed value of the Python package: text and raw bytes are
written as they are, everything else as JSON, and a pickle as the bytes that it
is. With --json it writes one object with the encoding and the value.

` + exitHelp(exitSome, exitNotFound),
		Example: `  kvault -f media.kv get photos/cat.jpg cat.jpg
  kvault -f media.kv get backups/src.tar | tar t
  kvault -f media.kv get photos/cat.jpg photos/dog.jpg pictures/
  kvault -f media.kv get user:1 --typed | jq .name
  kvault -f media.kv get movie.mp4 --range 0-1023 head.bin`,
		Args:              takes(1, -1, 1),
		ValidArgsFunction: a.completeKeyThen(cobra.ShellCompDirectiveDefault),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if dir := args[len(args)-1]; len(args) > 2 || len(args) == 2 && isFolder(dir) {
				return a.getFiles(ctx, args[:len(args)-1], dir, flags)
			}
			to := ""
			if len(args) == 2 {
				if to = args[1]; to == "" {
					return usagef(`get: the FILE is empty; "-" is standard output`)
				}
			}
			return a.get(ctx, args[0], to, flags)
		}),
	}
	cmd.Flags().StringVar(&flags.byteRange, "range", "", "write only these bytes: `A-B`, A- or -N")
	cmd.Flags().BoolVar(&flags.forceBinary, "force-binary", false, "write a binary value even to a terminal")
	cmd.Flags().BoolVar(&flags.typed, "typed", false, "decode a typed value of the Python package")
	return cmd
}

func (a *app) get(ctx context.Context, key, to string, flags getFlags) error {
	if flags.typed {
		if flags.byteRange != "" {
			return usagef("--typed and --range exclude each other")
		}
		return a.withVault(ctx, reading, func(v *kvault.Vault) error { return a.getTyped(ctx, v, key, to, flags.forceBinary) })
	}
	part := wholeValue
	if flags.byteRange != "" {
		var err error
		if part, err = parseByteRange(flags.byteRange); err != nil {
			return err
		}
	}
	return a.withVault(ctx, reading, func(v *kvault.Vault) error {
		r, err := v.NewReader(ctx, key)
		if err != nil {
			return named("get", key, err)
		}
		defer r.Close()
		off, n, err := part.of(r.Size())
		if err != nil {
			return named("get", key, err)
		}
		if _, err := r.Seek(off, io.SeekStart); err != nil {
			return err
		}
		if to == "" || to == "-" {
			if to == "" && !flags.forceBinary {
				if err := a.refuseBinary(r, off, n); err != nil {
					return err
				}
			}
			return a.copyOut(a.out, r, n)
		}
		err = a.writeFile(to, func(w io.Writer) error { return a.copyOut(w, r, n) })
		if err != nil || !a.flags.json {
			return err
		}
		return a.emit(jsonEntry(r.Entry()))
	})
}

// refuseBinary fails if standard output is a terminal that the n bytes from off on would upset.
func (a *app) refuseBinary(r *kvault.Reader, off, n int64) error {
	if !a.terminal(a.sys.Out) {
		return nil
	}
	start := make([]byte, min(n, 64<<10))
	got, err := r.ReadAt(start, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if looksBinary(start[:got]) {
		return errBinary
	}
	return nil
}

var errBinary = errors.New("the value is binary: write it to a file, or pass --force-binary " +
	"to write it to the terminal all the same")

// copyOut copies the next n bytes of r, with a bar if there is room for one.
func (a *app) copyOut(w io.Writer, r *kvault.Reader, n int64) error {
	var b *progress
	if !a.terminal(a.sys.Out) || w != a.out {
		b = a.startProgress("get", inBytes, n)
		defer b.finish()
	}
	w = b.writer(w)
	if n == r.Size() {
		_, err := r.WriteTo(w)
		return err
	}
	_, err := io.CopyN(w, r, n)
	return err
}
