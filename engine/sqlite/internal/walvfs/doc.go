// Package walvfs is the file system layer between SQLite and the operating system. It writes the
// frames of a commit to the write-ahead log in one piece, preallocates the log where commits are
// synced, repairs a log or a journal whose sync failed, tells SQLite of a full disk, gives new
// files beside a database its owner and mode, hides a log that belongs to another file, and tells
// whether the names of a database still lead to the files that a connection has open.
//
// It knows files, SQLite's interface for file systems, and the headers of the database, the log and
// its frames. It may not know connections, statements, transactions or tables: what it needs of a
// connection it is told by functions and by [OpenFiles].
package walvfs
