// Package s3 keeps a vault in a bucket of any server that speaks the protocol of S3: Ceph, AWS, or
// another that honours If-None-Match and If-Match of PutObject. Open tries that out, and refuses a
// bucket that ignores them. Programs on several machines may write to one vault at once.
//
//	store, err := s3.Open(ctx, "s3://media/photos?endpoint=https://s3.example.com", nil)
//	…
//	v, err := kvault.New(store, nil)
//
// Credentials and the region come the way the AWS tools take them: from AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY, AWS_PROFILE, ~/.aws/config or the machine's role.
//
// # What is kept
//
// Every change of one key is atomic, and durable as far as the server's are once it has returned. A
// request of which the answer was lost never undoes what came later. Conditions (IfAbsent, IfTag),
// Take, SetMeta, streams of any size and ranges of one version work as in a file. So do columns, in
// transactions of their own. Each read of a whole value, or of one in order, compares its checksum;
// ranges are as the server gives them.
//
// # What is dearer, or weaker
//
//   - A request takes milliseconds. Make many at once: ApplyEach, and the vault's cache, do.
//   - A put of up to 64 KiB under a new key takes one request. One that replaces a value takes
//     three, a longer one two, and those above Options.PartSize also one for each part.
//   - A listing takes a request for 1,000 keys, and one more for each entry unless it is of keys
//     alone. If it is of keys and sizes, that is for values which replaced others, or have up to
//     128 bytes or more than Options.PartSize. In reverse it takes some 10 to 60 more a page. A
//     page is no snapshot. Count lists all keys.
//   - Rename is two writes, first at the new name. Between them, and after a crash there, both keys
//     have the value: a Take of each may return it. Neither write waits for the other, so the
//     rename finds out too late. It is never lost.
//   - DeleteRange deletes key by key. After an error or a crash some keys are left.
//   - A reader of a value that is one object of more than 256 KiB fails with engine.ErrTagMismatch
//     once another version took its place. Larger values, which are in data objects, can be read
//     on.
//   - Deleted keys and replaced data take room until Optimize removes them.
//   - Keys are at most 1,024 bytes in the names of objects, the prefix included: letters, digits,
//     "-" and "." count once, "/" twice, others three times, and one byte is the vault's.
//
// Errors that a file does not have: engine.ErrUnknown if nobody can tell whether a change took
// effect, and engine.ErrConflict if others were faster some hundred times, which takes a minute or
// so, or have changed the same columns.
//
// # What is not there
//
// Several ops in one Apply, and uploads in Op.Upload, fail with engine.ErrUnsupported. The Store
// has no transactions of keys, snapshots, backups, tables of keys, or uploads that outlive a
// process, so Update, View, RenamePrefix, CopyPrefix, Backup and NewUpload of a vault on it are
// ErrUnsupported, and so is PutAll of several values with the cache off. [Store.ApplyEach] makes
// many changes at once, each by itself.
//
// docs/s3-format.md describes the objects, and docs/scale.md says when a bucket pays.
package s3
