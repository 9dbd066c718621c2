// Package kvault stores keys and values of any size in one SQLite file: media, documents, whatever
// a program holds as bytes.
//
//	v, err := kvault.Open(ctx, "media.kv", nil)
//	if err != nil {
//		return err
//	}
//	defer v.Close()
//	err = v.Put(ctx, "photos/cat.jpg", jpeg)
//
// Keys are non-empty strings of any bytes, in bytewise order. Values go in and out whole
// ([Vault.Put], [Vault.Get]) or as streams that hold one chunk in memory ([Vault.PutReader],
// [Vault.NewWriter], [Vault.NewReader]). Every write is atomic: a reader sees the old value or all
// of the new one, whatever fails.
//
// [Vault.Copy], [Vault.Rename] and [Vault.SetMetadata] do without the value where the file allows
// it: a copy of a value in chunk rows takes neither time nor room.
//
// # Uploads
//
// [Vault.NewUpload] starts a value that is written in parts, in any order, and that outlives the
// process: [Vault.OpenUpload] goes on with it by its ID, and [Upload.Publish] makes it the value of
// its key. Use it where a source may break off, or sends several parts at once; [Vault.NewWriter]
// and [Vault.PutReader] are simpler and faster for one that comes in one go.
//
// # Listings
//
// [Vault.List], [Vault.Keys], [Vault.Values] and [Vault.Items] read in pages and hold nothing open
// between them, so a loop may call any method and may end at any point. [ListOptions] select by
// prefix and range, reverse the order, and join the keys behind a delimiter into folders.
// [Vault.FS] is the vault as an [io/fs.FS].
//
// # Transactions
//
// [Vault.Update] makes several changes visible at once; [Vault.View] reads a snapshot. Inside them,
// use the [Tx] only.
//
// # The write-back cache
//
// With [Vault.WithCache] or [Vault.EnableCache], small writes are collected in memory and written
// in one transaction, which is many times faster than one each. All reads include pending writes,
// and every other write flushes them first (but for parts of uploads, which no reader sees). So the
// cache changes speed and durability but never an answer. Writes that are pending when the program
// dies are lost. [Vault.LockCache] delays flushes, so that what belongs together is written
// together.
//
// # Names of other packages
//
//   - gocloud.dev/blob: Attributes is [Vault.Stat], ReadAll [Vault.Get], WriteAll [Vault.PutWith],
//     Upload [Vault.PutReader], Download [Vault.GetTo], and NewRangeReader [Vault.GetRange] or
//     [Reader.Seek]. An ETag is Entry.Tag; IfNotExist is IfAbsent.
//   - bbolt: ForEach is [Vault.Items], and so is a Cursor, with Start and Reverse of [ListOptions].
//     Buckets are prefixes, such as "photos/", or tables. Batch is not needed, as concurrent puts
//     share a commit. Compact is [Vault.Optimize], and Tx.WriteTo [Vault.BackupTo].
//   - sync.Map: LoadOrStore is [Vault.SetDefault], LoadAndDelete [Vault.Pop], CompareAndSwap
//     [Vault.PutWith] with IfTag, and CompareAndDelete [Vault.DeleteIf].
//
// # Options
//
// Nil options and zero fields are the defaults, which the comment of each field names. A negative
// number stands for none, for no limit or for a count from the end, where that comment says so;
// every other one is [ErrInvalid], and the error names the field. Packages column, exchange and
// engine/sqlite keep to the same rule.
//
// # Deadlines, busy files, errors
//
// The context bounds each call, its waits and its retries included; the one given to a reader,
// writer or listing bounds all of its use. When another process holds the file's lock, a call tries
// again as [Options] say, and then fails with [ErrBusy].
//
// Every error of a method is an [*Error] that names the call and the key. Match its cause with
// [errors.Is]: [ErrNotFound], [ErrBusy] and so on. Errors of your own readers, writers and files
// arrive as [*IOError]. Update, View and WithCache return the errors of your own functions
// unchanged.
//
// # The file
//
// While a vault is open, SQLite keeps a -wal and a -shm file in the same folder, with the same mode
// and owner. They belong to one name of the file: Open refuses a file with several hard links, or
// one that is mounted into a container by itself, with [ErrInvalid] (mount the folder instead). A
// symbolic link is the same as the name that it leads to. If the vault's file, its -wal or its -shm
// is renamed, removed or replaced while the vault is open, the next write and Close fail with
// [ErrMoved]. If another program overwrites or truncates the file, they fail with [ErrCorrupt] if
// the file's length or its first 100 bytes show it and no checkpoint came in between (on Linux and
// macOS, with a write-ahead log).
//
// Do not open one file in one process both here and with another SQLite library, such as one in C.
// The locks of that library belong to the whole process, and the system drops them as soon as
// either side closes the file; two transactions may then write at once. Use two processes, or this
// package only.
//
// # Other engines
//
// [New] makes a vault of any implementation of package engine. Calls that the engine does not
// support fail with [ErrUnsupported].
package kvault
