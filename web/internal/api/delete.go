package api

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// keyList is the keys that a request names.
type keyList []string

// maxKeys is how many keys one request deletes.
const maxKeys = 10_000

// add takes a member of the request's object.
func (l *keyList) add(name string, v any) error {
	if name != "keys" && name != "keys_base64" {
		return badRequest("there is no member %s here", quoted(name))
	}
	list, ok := v.([]any)
	if !ok {
		return badRequest("%s is a list of strings", name)
	}
	for _, x := range list {
		key, err := keyOf("each of "+name, x, name == "keys_base64")
		switch {
		case err != nil:
			return err
		case key == "":
			return badRequest("one of %s is empty", name)
		}
		*l = append(*l, key)
	}
	return nil
}

// deleteKeys deletes keys, and answers with how many there were: all or none, but where the vault
// has no transactions some may be gone after an error.
func (h *handler) deleteKeys(a *reply, r *http.Request) error {
	if p := parametersOf(r); p.err != nil {
		return p.err
	}
	var keys keyList
	if err := members(a, r, keys.add); err != nil {
		return err
	}
	if len(keys) > maxKeys {
		return &wire.Error{
			Status: http.StatusRequestEntityTooLarge,
			Text:   "one request deletes at most 10000 keys",
		}
	}
	grant := access.Of(r.Context())
	for _, key := range keys {
		if !grant.Write(key) {
			return wire.Forbidden()
		}
	}
	var deleted atomic.Int64
	err := transact.Update(r.Context(), h.v, func(s transact.Store) error {
		return transact.Each(r.Context(), s, len(keys), func(ctx context.Context, i int) error {
			found, err := s.Delete(ctx, keys[i])
			if found {
				deleted.Add(1)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	return a.json(map[string]int64{"keys": deleted.Load()})
}
