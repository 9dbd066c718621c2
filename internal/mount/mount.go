//go:build fuse && (linux || darwin)

package mount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/kohakuvault/kvault"
)

// kernelCache is how long the kernel may answer with a name and its attributes without asking.
const kernelCache = time.Second

// Options says how Serve mounts a vault. The zero value is usable.
type Options struct {
	// AllowOther lets other users read the files too. For a user who is not root, /etc/fuse.conf
	// must have the line user_allow_other.
	AllowOther bool
	// Ready, unless nil, is called once the directory shows the vault.
	Ready func()
	// Failed, unless nil, is told why a request failed that the kernel reports as EIO. It is called
	// by several goroutines at once.
	Failed func(error)
}

// Serve mounts v on dir, an empty directory that is no mount yet, and answers the kernel until
// somebody unmounts it, which is no error, or until ctx ends. Then Serve unmounts it. If files in
// it are still open, the directory is freed all the same, and each further read of those files
// fails with EIO; goroutines that answer so are left until the files are closed, or the process
// ends.
//
// Files and folders are those of Vault.FS. What has a name of more than 255 bytes, or one with a
// zero byte, is left out, since no program could open it. Everything belongs to the user of this
// process. Writes fail with EROFS, reads of a damaged value with EIO, reads of a version that is
// gone with ESTALE.
func Serve(ctx context.Context, v *kvault.Vault, dir string, o Options) error {
	if err := errors.Join(checkSystem(), checkDir(dir)); err != nil {
		return err
	}
	t := &tree{ctx: ctx, v: v, files: v.FS(ctx), failed: o.Failed}
	options := o.library()
	root := fusefs.NewNodeFS(&folder{t: t, name: "."}, options)
	server, err := fuse.NewServer(root, dir, &options.MountOptions)
	if err == nil {
		go server.Serve()
		err = waitMount(server)
	}
	if err != nil {
		// On Linux fusermount3 has said why on standard error, and the text of err ends its line.
		return fmt.Errorf("mount %s: %s", dir, strings.TrimSpace(err.Error()))
	}
	ended := make(chan struct{})
	go func() {
		server.Wait()
		close(ended)
	}()
	if o.Ready != nil {
		o.Ready()
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	if server.Unmount() == nil {
		return nil
	}
	return detach(dir)
}

// library returns the options of the library for FUSE.
func (o *Options) library() *fusefs.Options {
	timeout := kernelCache
	return &fusefs.Options{
		MountOptions: fuse.MountOptions{
			AllowOther:    o.AllowOther,
			Options:       []string{"ro", "default_permissions"},
			FsName:        "kvault",
			Name:          "kvault",
			MaxWrite:      maxRead,
			DisableXAttrs: true,
			DisableSplice: true, // values come from memory
			SyncRead:      true, // so that reads come in order, and can be compared with the checksum
			// The kernel asks for attributes with the names only if a program looks at them: each file
			// whose attributes it has takes a kilobyte of memory until it forgets them.
			ExtraCapabilities: fuse.CAP_READDIRPLUS_AUTO,
		},
		EntryTimeout:   &timeout,
		AttrTimeout:    &timeout,
		UID:            uint32(os.Getuid()),
		GID:            uint32(os.Getgid()),
		RootStableAttr: &fusefs.StableAttr{Ino: fuse.FUSE_ROOT_ID},
	}
}

// checkDir refuses a directory whose files a mount would hide.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; make it with mkdir", err)
	case errors.Is(err, syscall.ENOTCONN):
		return fmt.Errorf("%w: its mount has lost its program; free it with 'umount %s'", err, dir)
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "mount", Path: dir, Err: syscall.ENOTDIR}
	}
	above, err := os.Stat(dir + "/..")
	if err != nil {
		return err
	}
	if device(info) != device(above) {
		return fmt.Errorf("mount %s: something is mounted there already; "+
			"name another directory, or 'umount %[1]s' first", dir)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("mount %s: the directory is not empty; name an empty one", dir)
	}
	return err
}

func device(info fs.FileInfo) any { return info.Sys().(*syscall.Stat_t).Dev }
