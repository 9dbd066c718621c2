package api

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/jsonform"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// largestBody bounds the JSON of a request in bytes.
const largestBody = 256 << 10

// members calls each for the members of the JSON object that is the request's body.
func members(a *reply, r *http.Request, each func(name string, v any) error) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" {
		return &wire.Error{
			Status: http.StatusUnsupportedMediaType, Text: "the body is to be application/json",
		}
	}
	body := jsonform.NewReader(http.MaxBytesReader(a.w, r.Body, largestBody))
	body.MaxDepth = 4
	err := body.Members(each)
	if err == nil {
		err = body.End()
	}
	var bad *jsonform.Error
	switch {
	case errors.As(err, &bad):
		return badRequest("the body: %v", bad)
	case errors.Is(err, io.EOF):
		return badRequest("the body is empty")
	}
	return err
}

// change is what a request does with the keys of a prefix.
type change struct {
	action    string
	from, to  *string
	overwrite bool
}

// set takes a member of the request's object.
func (c *change) set(name string, v any) (err error) {
	switch name {
	case "action":
		c.action, err = textOf(name, v)
	case "from", "from_base64":
		err = keyInto(&c.from, "from", name, v)
	case "to", "to_base64":
		err = keyInto(&c.to, "to", name, v)
	case "overwrite":
		var ok bool
		if c.overwrite, ok = v.(bool); !ok {
			err = badRequest("overwrite is true or false")
		}
	default:
		err = badRequest("there is no member %s here", quoted(name))
	}
	return err
}

func textOf(name string, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", badRequest("%s is a string", name)
	}
	return s, nil
}

// keyInto sets a key from the member called name: its text, or with any bytes its base64.
func keyInto(key **string, plain, name string, v any) error {
	s, err := keyOf(name, v, name != plain)
	switch {
	case err != nil:
		return err
	case *key != nil:
		return badRequest("%s and %s_base64 exclude each other", plain, plain)
	}
	*key = &s
	return nil
}

func keyOf(name string, v any, encoded bool) (string, error) {
	s, err := textOf(name, v)
	if err != nil || !encoded {
		return s, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return "", badRequest("%s is not base64 with padding", name)
	}
	return string(b), nil
}

// check reports an action that makes no sense.
func (c *change) check() error {
	switch moves := c.action == "rename" || c.action == "copy"; {
	case !moves && c.action != "delete":
		return badRequest("action is one of rename, copy, delete, not %s", quoted(c.action))
	case c.from == nil || *c.from == "":
		return badRequest("from is missing or empty: name the keys to %s", c.action)
	case moves && c.to == nil:
		return badRequest("to is missing")
	case !moves && (c.to != nil || c.overwrite):
		return badRequest("to and overwrite go with rename and copy")
	}
	return nil
}

func (c *change) allowed(g access.Grant) bool {
	switch c.action {
	case "rename":
		return g.WritePrefix(*c.from) && g.WritePrefix(*c.to)
	case "copy":
		return g.ReadPrefix(*c.from) && g.WritePrefix(*c.to)
	}
	return g.WritePrefix(*c.from)
}

// changePrefix renames, copies or deletes all keys with a prefix, and answers with their number.
func (h *handler) changePrefix(a *reply, r *http.Request) error {
	if p := parametersOf(r); p.err != nil {
		return p.err
	}
	var c change
	if err := members(a, r, c.set); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if !c.allowed(access.Of(r.Context())) {
		return wire.Forbidden()
	}
	var n int64
	var err error
	o := &kvault.PrefixOptions{NoReplace: !c.overwrite}
	switch c.action {
	case "rename":
		n, err = transact.RenamePrefix(r.Context(), h.v, *c.from, *c.to, o)
	case "copy":
		n, err = transact.CopyPrefix(r.Context(), h.v, *c.from, *c.to, o)
	default:
		n, err = h.v.DeletePrefix(r.Context(), *c.from)
	}
	if err != nil {
		return c.explain(err)
	}
	return a.json(map[string]int64{"keys": n})
}

func (c *change) explain(err error) error {
	switch {
	case c.action == "delete":
		return err
	case errors.Is(err, kvault.ErrExists):
		return &wire.Error{
			Status: http.StatusPreconditionFailed, Cause: err,
			Text: "one of the new keys exists already; nothing was changed",
		}
	case errors.Is(err, kvault.ErrInvalid):
		return &wire.Error{
			Status: http.StatusBadRequest, Cause: err,
			Text: "from and to overlap, or a new key does with from: go by way of a third prefix",
		}
	}
	return err
}
