package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/s3"
)

// vault is a vault in the bucket, and a second handle of it with the cache on.
type vault struct{ direct, cached *kvault.Vault }

func openVault(ctx context.Context, s settings) (*kvault.Vault, error) {
	u := url.URL{Scheme: "s3", Host: s.bucket, Path: "/vault", RawQuery: url.Values{"endpoint": {strings.Join(s.endpoints, ",")}}.Encode()}
	store, err := s3.Open(ctx, u.String(), nil)
	if err != nil {
		return nil, err
	}
	v, err := kvault.New(store, nil)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return v, nil
}

// open returns the contenders, and what closes them.
func open(ctx context.Context, s settings) (sides contenders, done func() error, err error) {
	var v vault
	if v.direct, err = openVault(ctx, s); err != nil {
		return sides, nil, err
	}
	if v.cached, err = openVault(ctx, s); err == nil {
		// It flushes when told, once.
		err = v.cached.EnableCache(ctx, &kvault.CacheOptions{Capacity: 256 << 20, Threshold: 256 << 20})
	}
	done = func() error {
		var errs []error
		for _, v := range []*kvault.Vault{v.direct, v.cached} {
			if v != nil {
				errs = append(errs, v.Close())
			}
		}
		return errors.Join(errs...)
	}
	if err != nil {
		return sides, nil, errors.Join(err, done())
	}
	gateways := make([]string, len(s.endpoints))
	for i, e := range s.endpoints {
		gateways[i] = strings.TrimPrefix(e, "http://")
	}
	p := newPlain(s, gateways)
	return contenders{plainClient: p, same: conditional{p}, ours: &v}, done, nil
}

func (v *vault) put(ctx context.Context, key string, value []byte) error {
	return v.direct.Put(ctx, key, value)
}

func (v *vault) get(ctx context.Context, key string) ([]byte, error) { return v.direct.Get(ctx, key) }

func (v *vault) streamIn(ctx context.Context, key string, r io.Reader) error {
	_, err := v.direct.PutReader(ctx, key, r, nil)
	return err
}

func (v *vault) streamOut(ctx context.Context, key string, w io.Writer) error {
	_, err := v.direct.GetTo(ctx, key, w)
	return err
}

func (v *vault) keys(ctx context.Context, prefix string) (n int, err error) {
	for _, err := range v.direct.Keys(ctx, &kvault.ListOptions{Prefix: prefix}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (v *vault) entries(ctx context.Context, prefix string) (n int, err error) {
	for _, err := range v.direct.List(ctx, &kvault.ListOptions{Prefix: prefix}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (v *vault) putAll(ctx context.Context, keys []string, value []byte) error {
	for _, key := range keys {
		if err := v.cached.Put(ctx, key, value); err != nil {
			return err
		}
	}
	_, err := v.cached.FlushCache(ctx)
	return err
}

func (v *vault) clear(ctx context.Context, prefix string) error {
	_, err := v.direct.DeletePrefix(ctx, prefix)
	return err
}
