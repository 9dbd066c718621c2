package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/kohakuvault/kvault"
)

// listDamaged sends the entries behind the key after, where listing them met damage. It finds each key
// by itself, in the index of keys, which may be whole where rows are not. Where the index breaks,
// it comes from the other end.
func (ex *exporter) listDamaged(ctx context.Context, after string, send func(listed) error) error {
	o := kvault.ListOptions{Prefix: ex.prefix, Start: after + "\x00", Limit: 1}
	found := func(key string) error {
		o.Start = key + "\x00"
		return ex.sendKey(ctx, key, send)
	}
	if err := ex.eachKey(ctx, &o, found); !errors.Is(err, kvault.ErrCorrupt) {
		return err
	}
	at := o.Start[:len(o.Start)-1]
	ex.addFailed(&ex.summary, ex.command, at, fmt.Errorf("the index of keys is damaged behind it: keys may be left out; 'kvault salvage' looks for them: %w", kvault.ErrCorrupt))
	o.Reverse = true
	err := ex.eachKey(ctx, &o, func(key string) error {
		o.End = key
		return ex.sendKey(ctx, key, send)
	})
	if errors.Is(err, kvault.ErrCorrupt) { // the other side of the same damage, or more of it
		return nil
	}
	return err
}

// eachKey calls fn with the next key of o, which fn moves on, until there is none.
func (ex *exporter) eachKey(ctx context.Context, o *kvault.ListOptions, fn func(key string) error) error {
	for {
		next, there := "", false
		for key, err := range ex.vault.Keys(ctx, o) {
			if err != nil {
				return err
			}
			next, there = key, true
		}
		if !there {
			return nil
		}
		if err := fn(next); err != nil {
			return err
		}
	}
}

// sendKey sends one entry, or reports that its row is damaged.
func (ex *exporter) sendKey(ctx context.Context, key string, send func(listed) error) error {
	if ex.leavesOut(key) {
		return nil
	}
	e, err := ex.vault.Stat(ctx, key)
	switch {
	case err == nil:
		return send(listed{e, key}) // the next key is not known: this one has isFolder look
	case errors.Is(err, kvault.ErrNotFound):
		return nil
	case ctx.Err() == nil && errors.Is(err, kvault.ErrCorrupt):
		ex.addFailed(&ex.summary, ex.command, key, err)
		return nil
	}
	return err
}
