package cli

import (
	"context"
	"maps"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/transact"
)

// metaFlags are the flags of meta, which say what it changes.
type metaFlags struct {
	typing, when, ifTag string
	set, unset          []string
	clear               bool
}

// metaChange is what meta is to change.
type metaChange struct {
	kvault.MetadataOptions // without User
	set                    map[string]string
	unset                  []string
	clear                  bool
}

// change returns what the flags ask for, or nil if they ask for no change.
func (f *metaFlags) change(now time.Time) (*metaChange, error) {
	c := &metaChange{unset: f.unset, clear: f.clear}
	c.ContentType, c.IfTag = f.typing, f.ifTag
	var err error
	if c.set, err = parsePairs("set", f.set); err != nil {
		return nil, err
	}
	asked := f.typing != "" || f.when != "" || f.clear || len(f.set)+len(f.unset) > 0
	switch {
	case !asked && f.ifTag != "":
		return nil, usagef("--if-tag needs one of --type, --time, --set, --unset and --clear")
	case !asked:
		return nil, nil
	case f.clear && len(f.unset) > 0:
		return nil, usagef("--clear and --unset exclude each other: --clear removes all metadata")
	}
	for _, name := range f.unset {
		if name == "" {
			return nil, usagef("--unset: the NAME is empty")
		}
		if _, both := c.set[name]; both {
			return nil, usagef("--set and --unset both name %q", name)
		}
	}
	if f.when == "" {
		return c, nil
	}
	if c.ModTime, err = parseWhen("time", f.when, now); err != nil {
		return nil, err
	}
	if !engine.FitModTime(c.ModTime).Equal(c.ModTime) {
		return nil, usagef("--time: %.100q is in no year from 1678 to 2261", f.when)
	}
	return c, nil
}

// user returns the metadata that e is to have instead of its own, or nil if that stays.
func (c *metaChange) user(e kvault.Entry) (map[string]string, error) {
	if !c.clear && len(c.set)+len(c.unset) == 0 {
		return nil, nil
	}
	user := map[string]string{}
	if !c.clear {
		maps.Copy(user, e.User)
	}
	for _, name := range c.unset {
		if _, found := e.User[name]; !found {
			return nil, noMeta(e, name)
		}
		delete(user, name)
	}
	maps.Copy(user, c.set)
	return user, nil
}

// changeMeta changes metadata in a transaction, or of the version that it read, so that what it
// read is still there when it writes.
func (a *app) changeMeta(ctx context.Context, key string, c *metaChange) error {
	return a.withVault(ctx, changing, func(v *kvault.Vault) error {
		var e kvault.Entry
		err := transact.Update(ctx, v, func(in transact.Store) (err error) {
			if e, err = in.Stat(ctx, key); err != nil {
				return err
			}
			o := c.MetadataOptions
			if o.User, err = c.user(e); err != nil {
				return err
			}
			if o.IfTag == "" && !transact.Atomic(in) {
				o.IfTag = e.Tag
				e, err = in.SetMetadata(ctx, key, &o)
				return transact.Lost(err)
			}
			e, err = in.SetMetadata(ctx, key, &o)
			return err
		})
		switch {
		case err != nil:
			return err
		case a.flags.json:
			return a.emit(jsonEntry(e))
		}
		return nil
	})
}
