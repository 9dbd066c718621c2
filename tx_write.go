package kvault

import (
	"context"
	"io"

	"github.com/kohakuvault/kvault/engine"
)

// Put is Vault.Put in the transaction.
func (t *Tx) Put(ctx context.Context, key string, value []byte) error {
	_, err := put(ctx, t, key, value, nil)
	return err
}

// PutWith is Vault.PutWith in the transaction.
func (t *Tx) PutWith(ctx context.Context, key string, value []byte, o *PutOptions) (Entry, error) {
	return put(ctx, t, key, value, o)
}

// PutReader is Vault.PutReader in the transaction. Other writers wait while r is read.
func (t *Tx) PutReader(ctx context.Context, key string, r io.Reader, o *PutOptions) (Entry, error) {
	return putReader(ctx, t, key, r, o)
}

// Delete is Vault.Delete in the transaction.
func (t *Tx) Delete(ctx context.Context, key string) (bool, error) { return remove(ctx, t, key) }

// DeleteIf is Vault.DeleteIf in the transaction.
func (t *Tx) DeleteIf(ctx context.Context, key, tag string) error { return removeIf(ctx, t, key, tag) }

// Pop is Vault.Pop in the transaction.
func (t *Tx) Pop(ctx context.Context, key string) ([]byte, error) { return pop(ctx, t, key) }

// SetDefault is Vault.SetDefault in the transaction.
func (t *Tx) SetDefault(ctx context.Context, key string, value []byte) (stored []byte, existed bool, err error) {
	return setDefault(ctx, t, key, value)
}

// Rename is Vault.Rename in the transaction.
func (t *Tx) Rename(ctx context.Context, from, to string, o *RenameOptions) error {
	return rename(ctx, t, from, to, o)
}

// Clear is Vault.Clear in the transaction.
func (t *Tx) Clear(ctx context.Context) (int64, error) {
	return removeRange(ctx, t, "clear", engine.Range{})
}

// DeletePrefix is Vault.DeletePrefix in the transaction.
func (t *Tx) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	return removePrefix(ctx, t, prefix)
}
