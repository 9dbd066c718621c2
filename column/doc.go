// Package column keeps typed lists in a vault, beside its keys: the sizes of a million files can be
// summed without opening one.
//
//	sizes, err := column.Ensure(ctx, v, "sizes", column.Int64, nil)
//	if err != nil {
//		return err
//	}
//	err = sizes.Append(ctx, 4096)
//
// A [Column] has the calls of a list: Append, Extend, Get, Set, Insert, Delete, Slice, All, Index,
// Len. A [Codec] says how its elements are encoded: [Int64], [Float64], [Bool], [Date],
// [Timestamp], [TimestampUTC], [Bytes], [FixedBytes], [String], [Text], [FixedText], [Vector],
// [Tensors], [MessagePack], [CBOR], or one of your own.
//
// # Transactions
//
// Every call is atomic. [Column.In] makes calls part of a transaction, together with keys and other
// columns:
//
//	err = v.Update(ctx, func(tx *kvault.Tx) error {
//		if err := tx.Put(ctx, "photos/cat.jpg", jpeg); err != nil {
//			return err
//		}
//		return sizes.In(tx).Append(ctx, int64(len(jpeg)))
//	})
//
// Calls of one transaction may be made at the same time; one runs after the other. One that fails
// halfway, as for lack of disk space or because the column is damaged, ends the transaction, which
// cannot be committed then. Most fail before they change anything: an index out of range, an
// element that does not fit, a name that is taken.
//
// Nothing of a column is remembered between calls, so any number of programs may append to one:
// their elements interleave, and none is lost. A transaction for each element costs far more than
// the element; Extend, or a transaction around many calls, does not.
//
// With the vault's write-back cache on (kvault.Vault.EnableCache, WithCache) what is appended waits
// there together with keys, and reaches the file in one transaction with them. Lengths, indexes and
// every other answer count it in; whatever else changes a column flushes first. What waits is for
// the column that had its name then. If another program drops, renames or makes anew that column,
// or changes the columns of a table so that rows which wait would come apart, the flush fails,
// writes nothing, keeps everything, and names the column: see kvault.FlushError and
// kvault.Vault.DiscardCached. A column that was dropped and made anew with the same name, type and
// number in the file counts as the same; one that [Migrate] rewrote does not.
//
// [Create], [Open], [Ensure], [List], [Rename] and [Drop] take a vault or a transaction. A table
// with a name is the columns under one prefix, such as "flights/": [RenamePrefix] and [DropPrefix]
// are for all of them at once.
//
// # Nulls
//
// [Nullable] makes a codec for elements that may be missing of any other; they are Null in Go.
// [AllowNulls] makes a column nullable that exists, and [ForbidNulls] makes it plain again.
//
// # Questions
//
// [Summarize] computes count, sum, smallest, largest and mean in one pass, exactly. [Column.Where]
// finds elements, [Column.Pick] fetches some by number, and a [Table] sees columns of equal length
// as rows. None of them holds more than a page of each column in memory. Package column/exchange
// carries columns to CSV, Arrow and Parquet, and back.
//
// # Errors
//
// Every error is a *[kvault.Error] that names the call and the column. Match its cause:
// kvault.ErrNotFound, [ErrRange], *[TypeError]. An engine without columns gives
// kvault.ErrUnsupported.
//
// # Files of the Python package
//
// Columns are stored as the Python package KohakuVault stores them, and its columns are read and
// changed in place, those of its first versions too. docs/format.md describes the layouts.
package column
