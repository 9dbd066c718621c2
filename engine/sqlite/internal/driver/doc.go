// Package driver is all that the SQLite engine knows of its SQLite library: connections,
// statements, incremental blobs, online backups, result codes, and snapshots that a connection
// holds from one read to the next. To use another library, write this package and walvfs anew.
//
// It knows transactions, locks and the shared memory of the write-ahead log, where it reads which
// commit is the latest and what checkpoints have copied. It leaves files to package walvfs. It may
// not know tables, keys or values, nor when a checkpoint is due, nor how long a caller waits.
package driver
