package values

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// conditions are what the headers of a request say about the current version of a value, as RFC
// 9110 13.1 has it.
type conditions struct {
	match, noneMatch *tags
	unmodifiedSince  time.Time
}

// tags is a list of entity tags. A weak tag is not in strong.
type tags struct {
	any         bool
	strong, all []string
}

func conditionsOf(h http.Header) (c conditions, err error) {
	if c.match, err = tagsOf(h, "If-Match"); err != nil {
		return c, err
	}
	if c.noneMatch, err = tagsOf(h, "If-None-Match"); err != nil {
		return c, err
	}
	if since := h.Get("If-Unmodified-Since"); since != "" && c.match == nil {
		// The RFC has a server ignore what is no date.
		c.unmodifiedSince, _ = http.ParseTime(since)
	}
	return c, nil
}

func (c conditions) none() bool {
	return c.match == nil && c.noneMatch == nil && c.unmodifiedSince.IsZero()
}

// tagsOf returns the list of entity tags in a header, or nil if there is no such header.
func tagsOf(h http.Header, name string) (*tags, error) {
	if len(h.Values(name)) == 0 {
		return nil, nil
	}
	list := strings.TrimSpace(strings.Join(h.Values(name), ","))
	if list == "*" {
		return &tags{any: true}, nil
	}
	t := &tags{}
	for list = strings.Trim(list, " \t,"); list != ""; list = strings.TrimLeft(list, " \t,") {
		opaque, weak := strings.CutPrefix(list, "W/")
		opaque, quoted := strings.CutPrefix(opaque, `"`)
		tag, rest, closed := strings.Cut(opaque, `"`)
		if !quoted || !closed || rest != "" && !strings.ContainsAny(rest[:1], " \t,") {
			return nil, badRequest(name + ` is neither "*" nor a list of entity tags`)
		}
		list = rest
		t.all = append(t.all, tag)
		if !weak {
			t.strong = append(t.strong, tag)
		}
	}
	return t, nil
}

var errCondition = &wire.Error{
	Status: http.StatusPreconditionFailed, Text: "the condition of the request does not hold",
}

// check returns an error unless the conditions hold for the version e, which exists or not.
func (c conditions) check(e kvault.Entry, exists bool) error {
	tag := strings.Trim(wire.ETag(e), `"`)
	in := func(t *tags, list []string) bool {
		return exists && (t.any || tag != "" && slices.Contains(list, tag))
	}
	modified := exists && e.ModTime.Truncate(time.Second).After(c.unmodifiedSince)
	switch {
	case c.match != nil && !in(c.match, c.match.strong),
		c.noneMatch != nil && in(c.noneMatch, c.noneMatch.all),
		!c.unmodifiedSince.IsZero() && modified:
		return errCondition
	}
	return nil
}

// Holds returns an error unless the conditions in the header h hold for the version e of a value,
// which exists or not: If-Match, If-None-Match and If-Unmodified-Since.
func Holds(h http.Header, e kvault.Entry, exists bool) error {
	c, err := conditionsOf(h)
	if err != nil {
		return err
	}
	return c.check(e, exists)
}

// change runs fn in a transaction in which key exists and the conditions of the request hold. Where
// there are no transactions fn is to change the version that it gets, and that alone: see onlyIf.
func (h *Handler) change(
	r *http.Request, key string, fn func(transact.Store, kvault.Entry) error,
) error {
	c, err := conditionsOf(r.Header)
	if err != nil {
		return err
	}
	return transact.Update(r.Context(), h.v, func(t transact.Store) error {
		e, err := t.Stat(r.Context(), key)
		missing := errors.Is(err, kvault.ErrNotFound)
		if err != nil && !missing {
			return err
		}
		if failed := c.check(e, !missing); failed != nil {
			return failed
		}
		if missing {
			return err
		}
		return fn(t, e)
	})
}

// onlyIf returns the tag that a change of the version e names, so that it changes no other. In a
// transaction it is e until the end.
func onlyIf(s transact.Store, e kvault.Entry) string {
	if transact.Atomic(s) {
		return ""
	}
	return e.Tag
}

// simple returns the conditions as those of a put, if they can be: that a key is absent, or has one
// version.
func (c conditions) simple() (ifAbsent bool, ifTag string, ok bool) {
	switch {
	case c.none():
		return false, "", true
	case !c.unmodifiedSince.IsZero():
		return false, "", false
	case c.match == nil:
		return c.noneMatch.any, "", c.noneMatch.any
	case c.noneMatch == nil && len(c.match.strong) == 1:
		return false, c.match.strong[0], true
	}
	return false, "", false
}

// failure returns the answer to a put whose conditions, which were simple, ceased to hold.
func (c conditions) failure(err error) error {
	if !c.none() && isChange(err) {
		return errCondition
	}
	return err
}

// isChange reports whether a call failed because the key has another version than it was to have.
func isChange(err error) bool {
	return errors.Is(err, kvault.ErrNotFound) || errors.Is(err, kvault.ErrTagMismatch) ||
		errors.Is(err, kvault.ErrExists)
}
