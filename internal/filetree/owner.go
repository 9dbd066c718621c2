package filetree

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/user"
	"strconv"
	"sync"
)

// The metadata of an owner: numbers in decimal, and names where the system had some.
const (
	uidMeta   = "uid"
	gidMeta   = "gid"
	userMeta  = "uname"
	groupMeta = "gname"
)

// Owners reads and restores who owns files. It remembers what the system said of each name and
// number. It is safe for concurrent use.
type Owners struct{ known sync.Map }

// Supported returns an error if files have no such owners on this system.
func (*Owners) Supported() error {
	if !hasOwners {
		return errors.New("files on this system have no numbered owner and group")
	}
	return nil
}

// Add adds to meta who owns the file that info describes.
func (o *Owners) Add(meta map[string]string, info fs.FileInfo) error {
	uid, gid, ok := ownerOf(info)
	if !ok {
		return o.Supported()
	}
	meta[uidMeta], meta[gidMeta] = strconv.Itoa(uid), strconv.Itoa(gid)
	if name := o.ask("user of "+meta[uidMeta], func() (string, error) {
		u, err := user.LookupId(meta[uidMeta])
		if err != nil {
			return "", err
		}
		return u.Username, nil
	}); name != "" {
		meta[userMeta] = name
	}
	if name := o.ask("group of "+meta[gidMeta], func() (string, error) {
		g, err := user.LookupGroupId(meta[gidMeta])
		if err != nil {
			return "", err
		}
		return g.Name, nil
	}); name != "" {
		meta[groupMeta] = name
	}
	return nil
}

// ask is what lookup answered for a question the first time, or empty if it had no answer.
func (o *Owners) ask(question string, lookup func() (string, error)) string {
	if answer, ok := o.known.Load(question); ok {
		return answer.(string)
	}
	// A number without a name is no error: files outlive accounts.
	answer, _ := lookup()
	o.known.Store(question, answer)
	return answer
}

// Wanted returns the owner and group that meta names, as numbers of this system. A name counts
// before a number, as it does for tar: the same person may have another number here. It reports
// false if meta has no owner.
func (o *Owners) Wanted(meta map[string]string) (uid, gid int, ok bool, err error) {
	if meta[uidMeta] == "" && meta[gidMeta] == "" {
		return 0, 0, false, nil
	}
	number := func(kind, name, stored string, lookup func(string) (string, error)) (int, error) {
		if name != "" {
			here := o.ask(kind+" named "+name, func() (string, error) { return lookup(name) })
			if here != "" {
				stored = here
			}
		}
		// The highest number would mean "leave it".
		n, err := strconv.ParseUint(stored, 10, 32)
		if err != nil || n == math.MaxUint32 {
			return 0, fmt.Errorf("the %s %q is no number of one", kind, stored)
		}
		return int(n), nil
	}
	uid, err = number("owner", meta[userMeta], meta[uidMeta], func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return 0, 0, false, err
	}
	gid, err = number("group", meta[groupMeta], meta[gidMeta], func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	return uid, gid, err == nil, err
}

// SameOwner reports whether two entries' metadata names the same owner.
func SameOwner(a, b map[string]string) bool {
	for _, name := range []string{uidMeta, gidMeta, userMeta, groupMeta} {
		if a[name] != b[name] {
			return false
		}
	}
	return true
}

// Same reports whether the file that info describes has the owner that meta names, or meta names
// none.
func (o *Owners) Same(meta map[string]string, info fs.FileInfo) bool {
	uid, gid, named, err := o.Wanted(meta)
	u, g, ok := ownerOf(info)
	return err == nil && (!named || !ok || uid == u && gid == g)
}

// Restore gives an open file the owner that meta names. That needs rights which mostly only the
// administrator has; without them the error is one of permission.
func (o *Owners) Restore(f *os.File, meta map[string]string) error {
	info, err := f.Stat()
	if err != nil || o.Same(meta, info) {
		return err
	}
	uid, gid, _, err := o.Wanted(meta)
	if err != nil {
		return err
	}
	return ownerError(f.Chown(uid, gid))
}

// RestoreLink is Restore for the symbolic link name below root, which is not followed.
func (o *Owners) RestoreLink(root *os.Root, name string, meta map[string]string) error {
	info, err := root.Lstat(name)
	if err != nil || o.Same(meta, info) {
		return err
	}
	uid, gid, _, err := o.Wanted(meta)
	if err != nil {
		return err
	}
	return ownerError(root.Lchown(name, uid, gid))
}

// ownerError says what failed. The name of the file is left out, as it is a temporary one.
func ownerError(err error) error {
	if err == nil {
		return nil
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("the owner was not restored: %w", err)
}
