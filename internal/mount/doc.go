// Package mount shows a vault as a read-only directory of the operating system, by FUSE, on Linux
// and macOS. All but this comment is behind the build tag fuse.
//
// It is for the operating system: requests of the kernel, inodes, caches of the kernel, mounting
// and unmounting. It does not know which keys are files and which are folders; Vault.FS decides
// that. It does not know the command line.
//
// # One inode, one version
//
// The kernel keeps the size and the pages of a file by its inode. So each version of a value has an
// inode of its own, told apart by the version's tag, and what an inode has never changes. A name
// leads to the inode of the newest version, at the latest a second after the write. A file that was
// opened before fails with ESTALE from then on, apart from bytes that the kernel has in memory: a
// reader gets bytes of one version, or an error. Both inodes have the same number, made of the key.
//
// A value of another program has no tag. The kernel keeps no pages of it: each read of an open file
// reaches the Reader, which holds the version that it opened.
package mount
