package kvault

import (
	"context"
	"io"
	"iter"
)

// Get is Vault.Get in the transaction.
func (t *Tx) Get(ctx context.Context, key string) ([]byte, error) { return get(ctx, t, key) }

// AppendValue is Vault.AppendValue in the transaction.
func (t *Tx) AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error) {
	return appendValue(ctx, t, dst, key)
}

// GetOr is Vault.GetOr in the transaction.
func (t *Tx) GetOr(ctx context.Context, key string, def []byte) ([]byte, error) {
	return getOr(ctx, t, key, def)
}

// GetRange is Vault.GetRange in the transaction.
func (t *Tx) GetRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	return getRange(ctx, t, key, off, n)
}

// Stat is Vault.Stat in the transaction.
func (t *Tx) Stat(ctx context.Context, key string) (Entry, error) { return stat(ctx, t, key) }

// Tag is Vault.Tag in the transaction.
func (t *Tx) Tag(ctx context.Context, key string) (string, error) { return tagOf(ctx, t, key) }

// Exists is Vault.Exists in the transaction.
func (t *Tx) Exists(ctx context.Context, key string) (bool, error) { return has(ctx, t, key) }

// NewReader is Vault.NewReader in the transaction. Close the reader before the transaction ends.
func (t *Tx) NewReader(ctx context.Context, key string) (*Reader, error) {
	r, err := newReader(ctx, t, key)
	return r, fail("open", key, err)
}

// CopyTo is Vault.CopyTo in the transaction.
func (t *Tx) CopyTo(ctx context.Context, key string, w io.Writer) (int64, error) {
	return copyTo(ctx, t, key, w)
}

// Len is Vault.Len in the transaction.
func (t *Tx) Len(ctx context.Context) (int64, error) { return length(ctx, t) }

// Count is Vault.Count in the transaction.
func (t *Tx) Count(ctx context.Context, o *ListOptions) (int64, error) { return count(ctx, t, o) }

// List is Vault.List in the transaction. All pages are of its one snapshot; of the transaction's own changes, a loop sees those
// that were made before the page was read.
func (t *Tx) List(ctx context.Context, o *ListOptions) iter.Seq2[Entry, error] {
	return list(ctx, t, o)
}

// Keys is Vault.Keys in the transaction, as Tx.List.
func (t *Tx) Keys(ctx context.Context, o *ListOptions) iter.Seq2[string, error] {
	return keys(ctx, t, o)
}

// Values is Vault.Values in the transaction, as Tx.List.
func (t *Tx) Values(ctx context.Context, o *ListOptions) iter.Seq2[[]byte, error] {
	return values(ctx, t, o)
}

// Items is Vault.Items in the transaction, as Tx.List.
func (t *Tx) Items(ctx context.Context, o *ListOptions) iter.Seq2[Item, error] {
	return items(ctx, t, o)
}
