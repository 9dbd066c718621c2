package api

import (
	"context"
	"net/http"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

// folderUsage is what the keys with a prefix come to.
type folderUsage struct {
	vaultjson.Key
	Keys int64 `json:"keys"`
	Size int64 `json:"size"`
	// More says that there are more keys than were counted.
	More bool `json:"more,omitempty"`
}

// usage answers with what a prefix comes to, or with a delimiter each folder directly below it. It
// counts first and writes then, so a slow client keeps nobody from counting.
func (h *handler) usage(a *reply, r *http.Request) error {
	p := parametersOf(r, "prefix", "delimiter", "after", "limit")
	l := p.listing()
	if p.has("after") && l.delimiter == "" {
		p.fail("after goes with delimiter")
	}
	if p.err != nil {
		return p.err
	}
	if err := mayList(r, l.prefix); err != nil || a.headOnly(r) {
		return err
	}
	list, next := []folderUsage{{}}, ""
	err := h.counts.during(r.Context(), func() (err error) {
		deadline := time.Now().Add(h.limits.Counting)
		if l.delimiter == "" {
			list[0], err = h.count(r.Context(), l.prefix, 0, deadline)
		} else {
			list, next, err = h.folders(r.Context(), l, deadline)
		}
		return err
	})
	if err != nil {
		return err
	}
	page := newPage(a, "folders")
	page.next = next
	for _, u := range list {
		if err := page.add(u); err != nil {
			return err
		}
	}
	return page.end()
}

// count adds up keys: at most that many, unless most is 0, and until the deadline.
func (h *handler) count(
	ctx context.Context, prefix string, most int64, deadline time.Time,
) (u folderUsage, err error) {
	u.Key = vaultjson.KeyOf(prefix)
	for e, err := range h.v.List(ctx, &kvault.ListOptions{Prefix: prefix, NoMetadata: true}) {
		if err != nil {
			return u, err
		}
		if u.Keys > 0 && (u.Keys == most || time.Now().After(deadline)) {
			u.More = true
			break
		}
		u.Keys++
		u.Size += e.Size
	}
	return u, nil
}

// folders counts in each folder of the listing until the deadline, and returns where to go on.
func (h *handler) folders(
	ctx context.Context, l listing, deadline time.Time,
) (list []folderUsage, next string, err error) {
	o := l.options()
	if o == nil {
		return nil, "", nil
	}
	o.Limit, o.NoMetadata = 0, true
	last := ""
	for e, err := range h.v.List(ctx, o) {
		if err != nil {
			return nil, "", err
		}
		if last != "" && (len(list) == l.limit || time.Now().After(deadline)) {
			return list, cursor(last), nil
		}
		if last = e.Key; !e.Folder {
			continue
		}
		u, err := h.count(ctx, e.Key, h.limits.FolderKeys, deadline)
		if err != nil {
			return nil, "", err
		}
		list = append(list, u)
	}
	return list, "", nil
}
