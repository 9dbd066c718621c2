package cli

import (
	"context"
	"iter"

	"github.com/kohakuvault/kvault"
)

// folderCursor goes through the keys of a folder beside a walk of a tree, which has the same order.
type folderCursor struct {
	next  func() (kvault.Entry, error, bool)
	close func()
	entry kvault.Entry // the next one, unless done
	done  bool
}

// newFolderCursor returns a cursor before the first key. The caller closes it.
func newFolderCursor(ctx context.Context, v *kvault.Vault, prefix string) *folderCursor {
	c := &folderCursor{}
	c.next, c.close = iter.Pull2(v.List(ctx, &kvault.ListOptions{Prefix: prefix}))
	return c
}

// advance finds the next key.
func (c *folderCursor) advance() error {
	e, err, more := c.next()
	c.entry, c.done = e, !more
	return err
}

// at moves behind key, calls passed with each entry before it, and returns that of the key if there
// is one.
func (c *folderCursor) at(
	key string, passed func(kvault.Entry) error,
) (e kvault.Entry, found bool, err error) {
	for !c.done && c.entry.Key < key {
		if err := c.pass(passed); err != nil {
			return e, false, err
		}
	}
	if c.done || c.entry.Key != key {
		return e, false, nil
	}
	e = c.entry
	return e, true, c.advance()
}

// rest calls passed with each entry that is left.
func (c *folderCursor) rest(passed func(kvault.Entry) error) error {
	for !c.done {
		if err := c.pass(passed); err != nil {
			return err
		}
	}
	return nil
}

func (c *folderCursor) pass(passed func(kvault.Entry) error) error {
	if err := passed(c.entry); err != nil {
		return err
	}
	return c.advance()
}
