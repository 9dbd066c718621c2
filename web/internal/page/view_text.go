package page

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/preview"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	// textPage and hexPage are how much of a value one page shows, in bytes.
	textPage = 64 << 10
	hexPage  = 4 << 10
	// hexLine is how many bytes stand on a line.
	hexLine = 16
)

// textPart is a part of a value as text.
type textPart struct {
	// From is the number of the first byte, and To that of the one behind the last.
	From, To int64
	Body     string
	Tree     template.HTML
	// First, Previous and Following lead to other parts; empty where there is none.
	First, Previous, Following string
	// Problem is why the value is not shown as it should be.
	Problem string
}

// offset reads where a part begins: a decimal number, or a hexadecimal one behind "0x".
func offset(query url.Values, size int64) (int64, error) {
	text := strings.TrimSpace(query.Get("at"))
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if digits, found := strings.CutPrefix(strings.ToLower(text), "0x"); found {
		n, err = strconv.ParseInt(digits, 16, 64)
	}
	if err != nil || n < 0 {
		return 0, &wire.Error{Status: http.StatusBadRequest,
			Text: "an offset is a number of bytes, such as 4096 or 0x1000"}
	}
	return min(n, size), nil
}

// read returns the part of a value from an offset on. Where a writer has meanwhile shortened the
// value, it is empty.
func (h *Handler) read(ctx context.Context, e kvault.Entry, from, n int64) ([]byte, error) {
	part, err := h.v.GetRange(ctx, e.Key, from, n)
	if errors.Is(err, kvault.ErrInvalid) {
		return nil, nil
	}
	return part, err
}

// partURL leads to the part of a value that begins at an offset.
func partURL(e kvault.Entry, as string, at int64) string {
	return link(viewMount, e.Key, "as", as, "at", strconv.FormatInt(at, 10))
}

// textAt reads a page of text. It ends with a line if it can, and else with a character.
func (h *Handler) textAt(ctx context.Context, e kvault.Entry, query url.Values) (textPart, error) {
	from, err := offset(query, e.Size)
	if err != nil {
		return textPart{}, err
	}
	text, err := h.read(ctx, e, from, textPage)
	if err != nil {
		return textPart{}, err
	}
	if from+int64(len(text)) < e.Size {
		if at := bytes.LastIndexByte(text, '\n') + 1; at > 0 {
			text = text[:at]
		} else if at := lastRune(text); at > 0 && !utf8.FullRune(text[at:]) {
			text = text[:at]
		}
	}
	p := textPart{From: from, To: from + int64(len(text))}
	p.Body = strings.ToValidUTF8(string(text), "\uFFFD")
	if from > 0 {
		p.First = link(viewMount, e.Key, "as", "text")
	}
	if p.To < e.Size && p.To > from {
		p.Following = partURL(e, "text", p.To)
	}
	return p, nil
}

// hexAt reads a page of bytes, from the beginning of a line on.
func (h *Handler) hexAt(ctx context.Context, e kvault.Entry, query url.Values) (textPart, error) {
	at, err := offset(query, e.Size)
	if err != nil {
		return textPart{}, err
	}
	from := at - at%hexLine
	data, err := h.read(ctx, e, from, hexPage)
	if err != nil {
		return textPart{}, err
	}
	p := textPart{From: from, To: from + int64(len(data)), Body: hexDump(data, from)}
	if from > 0 {
		p.First = link(viewMount, e.Key, "as", "hex")
		p.Previous = partURL(e, "hex", max(0, from-hexPage))
	}
	if p.To < e.Size && p.To > from {
		p.Following = partURL(e, "hex", p.To)
	}
	return p, nil
}

// hexDump is hex.Dump for data that begins at an offset.
func hexDump(data []byte, from int64) string {
	var b strings.Builder
	for line := range strings.Lines(hex.Dump(data)) {
		fmt.Fprintf(&b, "%08x%s", from, line[8:])
		from += hexLine
	}
	return b.String()
}

// treeOf reads a JSON text. A part without a Tree has the problem with it.
func (h *Handler) treeOf(ctx context.Context, e kvault.Entry) (textPart, error) {
	text, err := h.read(ctx, e, 0, preview.MaxJSON+1)
	if err != nil {
		return textPart{}, err
	}
	p := textPart{To: int64(len(text))}
	if p.Tree, err = preview.JSON(text); err != nil {
		p.Problem = err.Error()
	}
	return p, nil
}
