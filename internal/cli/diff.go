package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/filetree"
)

func (a *app) diffCommand() *cobra.Command {
	c := &comparison{command: "diff", extra: true, attrs: true}
	cmd := &cobra.Command{
		Use:     "diff DIR PREFIX",
		GroupID: groupTrees,
		Short:   "Compare a directory tree with a folder of the vault",
		Long: `Name the files below DIR that the folder PREFIX does not have ("<"), the keys
that DIR does not have (">"), and those that differ ("!") in size, time or
permission bits; with --checksum in contents too, which reads them all. Symbolic
links and directories are compared where the vault has them as such. Nothing is
changed. The exit code is 1 if there are differences.

` + filterHelp + `

` + exitHelp(exitSome),
		Example: `  kvault -f media.kv diff ~/Pictures pictures
  kvault -f media.kv diff ~/Pictures pictures --checksum --json`,
		Args:              takes(2, 2, 0),
		ValidArgsFunction: a.completeDirThenFolder(),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.compare(ctx, c, args)
		}),
	}
	c.filter.register(cmd)
	cmd.Flags().BoolVar(&c.contents, "checksum", false, "compare contents too")
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	c := &comparison{command: "verify", contents: true}
	cmd := &cobra.Command{
		Use:     "verify DIR PREFIX",
		GroupID: groupTrees,
		Short:   "Make sure that the vault has the contents of a directory tree",
		Long: `Read every file below DIR and the value that the folder PREFIX has of it, and
name the files that the vault does not have ("<") or has with other contents or
damaged ("!"). Times, permission bits and further keys do not count. The exit
code is 1 if there are differences.

` + filterHelp + `

` + exitHelp(exitSome),
		Example:           `  kvault -f media.kv verify ~/Pictures pictures && rm -r ~/Pictures`,
		Args:              takes(2, 2, 0),
		ValidArgsFunction: a.completeDirThenFolder(),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.compare(ctx, c, args)
		}),
	}
	c.filter.register(cmd)
	return cmd
}

// comparison goes through a tree and a folder of the vault side by side, both in the order of the
// keys.
type comparison struct {
	*app
	filter   filter
	command  string
	contents bool // are compared
	attrs    bool // so are times and permission bits
	extra    bool // keys without a file count
	vault    *kvault.Vault
	prefix   string
	dirs     *dirCache
	keys     *folderCursor
	summary  summary
	differ   int64
}

type differenceJSON struct {
	keyJSON
	Difference string `json:"difference"`
}

func (a *app) compare(ctx context.Context, c *comparison, args []string) error {
	if err := c.filter.load(ctx, a, c.command); err != nil {
		return err
	}
	root, err := os.OpenRoot(args[0])
	if err != nil {
		return err
	}
	defer root.Close()
	c.app, c.prefix, c.dirs = a, folderPrefix(args[1]), &dirCache{root: root}
	defer c.dirs.close()
	err = a.withVault(ctx, reading, func(v *kvault.Vault) error {
		c.vault = v
		return c.run(ctx, root)
	})
	switch {
	case err != nil:
		return err
	case c.summary.failed > 0:
		err := fmt.Errorf("%d items failed", c.summary.failed)
		return &exitError{code: exitSome, err: err, told: true}
	case c.differ > 0:
		return &exitError{code: exitFailure, err: errors.New("there are differences"), told: true}
	}
	return nil
}

func (c *comparison) run(ctx context.Context, root *os.Root) error {
	c.keys = newFolderCursor(ctx, c.vault, c.prefix)
	defer c.keys.close()
	if err := c.keys.advance(); err != nil {
		return err
	}
	fail := func(name string, err error) { c.addFailed(&c.summary, c.command, c.prefix+name, err) }
	w := walk{
		root: root, ownFiles: c.vaultFiles(), filter: &c.filter, failed: fail,
		links: linksStore, folders: true,
		file: func(s source) error { return c.file(ctx, s) },
		special: func(name string, mode fs.FileMode) {
			fail(name, fmt.Errorf("%s is %s, not a file", name, kindInWords(mode)))
		},
	}
	if err := w.dir("."); err != nil {
		return err
	}
	if err := c.keys.rest(c.extraKey); err != nil {
		return err
	}
	c.note("%s the same, %d different.", countInWords(c.summary.unchanged, "file"), c.differ)
	return nil
}

// extraKey reports a key that has no file. That of the folder itself has the directory compared.
func (c *comparison) extraKey(e kvault.Entry) error {
	if e.Key == c.prefix && isKeptFolder(e) {
		return nil
	}
	if !c.extra || c.filter.LeavesOutFile(e.Key[len(c.prefix):]) {
		return nil
	}
	return c.report(">", e.Key, "only in the vault")
}

func (c *comparison) file(ctx context.Context, s source) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key := c.prefix + s.key()
	e, found, err := c.keys.at(key, c.extraKey)
	switch kept := found && filetree.KindOf(e.ContentType, e.User) == s.kind; {
	case err != nil:
		return err
	case s.kind == filetree.Link && !kept:
		err := fmt.Errorf("%s is a symbolic link, not a file", s.name)
		c.addFailed(&c.summary, c.command, key, err)
		return nil
	case s.kind == filetree.Folder && !kept && found:
		return c.extraKey(e)
	case s.kind == filetree.Folder && !kept: // directories count only where they were stored
		return nil
	case !found:
		return c.report("<", key, "only in the directory")
	}
	how, err := c.difference(ctx, e, s)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.addFailed(&c.summary, c.command, key, err)
		return nil
	case how != "":
		return c.report("!", key, how)
	}
	c.summary.unchanged++
	return nil
}

// difference says how a source and an entry differ, or is empty.
func (c *comparison) difference(ctx context.Context, e kvault.Entry, s source) (string, error) {
	switch {
	case filetree.KindOf(e.ContentType, e.User) != s.kind:
		return "kind", nil
	case s.size() > 0 && e.Size != s.size():
		return "size", nil
	case c.attrs && !e.ModTime.Equal(engine.FitModTime(s.info.ModTime())):
		return "time", nil
	case c.attrs && s.kind != filetree.Link && e.User[modeMeta] != modeOf(s.info):
		return "permission bits", nil
	case !c.contents && e.Size == s.size(): // a file that states no size is read all the same
		return "", nil
	}
	it := &item{source: s, value: []byte(s.target)}
	defer it.close()
	if s.kind == filetree.File {
		if err := it.load(c.dirs, nil); err != nil {
			return "", err
		}
	}
	if same, err := it.same(ctx, c.vault, e.Key); err != nil || same {
		return "", err
	}
	return "contents", nil
}

func (c *comparison) report(sign, key, how string) error {
	c.differ++
	if c.flags.json {
		return c.emit(differenceJSON{jsonKey(key), how})
	}
	return c.printRaw("%s %s\t%s\n", sign, c.shown(key), how)
}
