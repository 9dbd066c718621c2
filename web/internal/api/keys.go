package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/vaultjson"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	defaultPage = 1000
	largestPage = 10_000
)

// listing is what a request lists.
type listing struct {
	prefix, delimiter string
	after             string // the last key or folder of the page before, or empty
	limit             int
	reverse           bool
}

// listing reads the parameters that listings have.
func (p *parameters) listing() listing {
	l := listing{
		prefix: p.text("prefix"), delimiter: p.text("delimiter"),
		limit: int(p.number("limit", defaultPage, 1, largestPage)), reverse: p.yes("reverse"),
	}
	after, err := base64.RawURLEncoding.DecodeString(p.text("after"))
	l.after = string(after)
	if p.has("after") && (err != nil || l.after == "" || cursor(l.after) != p.text("after")) {
		p.fail(`after is the "next" of the page before, which %s is not`, quoted(p.text("after")))
	}
	return l
}

// cursor is what a client passes as the parameter after, to go on behind an entry.
func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// options select what follows after, one entry more than the limit. They are nil if nothing can.
func (l listing) options() *kvault.ListOptions {
	o := &kvault.ListOptions{
		Prefix: l.prefix, Delimiter: l.delimiter, Reverse: l.reverse, Limit: l.limit + 1,
	}
	if l.after == "" {
		return o
	}
	start := l.after + "\x00"
	if inner, below := strings.CutPrefix(l.after, l.prefix); below && l.delimiter != "" {
		if folder, _, found := strings.Cut(inner, l.delimiter); found {
			l.after = l.prefix + folder + l.delimiter
			if start = engine.PrefixRange(l.after).End; start == "" && !l.reverse {
				return nil // no key lies behind a folder whose name is of bytes 0xFF only
			}
		}
	}
	if l.reverse {
		o.End = l.after
	} else {
		o.Start = start
	}
	return o
}

// mayList checks that the token may read every key with the prefix.
func mayList(r *http.Request, prefix string) error {
	grant := access.Of(r.Context())
	if grant.ReadPrefix(prefix) {
		return nil
	}
	text := "this token reads no keys"
	if own := grant.Prefixes(); len(own) > 0 {
		text = fmt.Sprintf("this token reads only keys that begin with %.200q", own)
	}
	return &wire.Error{Status: http.StatusForbidden, Text: text}
}

// entry is a line of a listing.
type entry struct {
	vaultjson.Entry
	Path string `json:"path,omitempty"`
}

func entryOf(e kvault.Entry) entry {
	e.User = nil
	if e.Folder {
		return entry{Entry: vaultjson.EntryOf(e)}
	}
	return entry{vaultjson.EntryOf(e), wire.PathOf("/v/", e.Key)}
}

// keys answers with a page of a listing.
func (h *handler) keys(a *reply, r *http.Request) error {
	p := parametersOf(r, "prefix", "delimiter", "after", "limit", "reverse")
	l := p.listing()
	if p.err != nil {
		return p.err
	}
	if err := mayList(r, l.prefix); err != nil || a.headOnly(r) {
		return err
	}
	page := newPage(a, "keys")
	if o := l.options(); o != nil {
		last := ""
		for e, err := range h.v.List(r.Context(), o) {
			if err != nil {
				return err
			}
			if page.length == l.limit {
				page.next = cursor(last)
				break
			}
			if err := page.add(entryOf(e)); err != nil {
				return err
			}
			last = e.Key
		}
	}
	return page.end()
}

// page writes an object with a list, and behind it where the next page begins. It holds one item.
type page struct {
	a      *reply
	enc    *json.Encoder
	length int
	next   string
}

func newPage(a *reply, list string) *page {
	fmt.Fprintf(a, "{%q:[", list) // an error stays with the writer
	enc := json.NewEncoder(a)
	enc.SetEscapeHTML(false)
	return &page{a: a, enc: enc}
}

func (p *page) add(item any) error {
	if p.length > 0 {
		p.a.WriteByte(',')
	}
	p.length++
	return p.enc.Encode(item)
}

func (p *page) end() error {
	p.a.WriteByte(']')
	if p.next != "" {
		fmt.Fprintf(p.a, `,"next":%q`, p.next)
	}
	_, err := p.a.WriteString("}\n")
	return err
}
