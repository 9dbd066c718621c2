package dav

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	// maxNames is how many properties a PROPFIND may name: each response repeats them.
	maxNames = 200
	// pageSize is how many entries of a folder are in memory at a time.
	pageSize = 100
)

// propfind lists a file, or a folder with what is in it. It goes through the listing a page at a
// time, and holds nothing of the vault between two pages, however slow the client is.
func (q *request) propfind() error {
	asked, err := q.asked()
	if err != nil {
		return err
	}
	n, err := q.find(q.v, q.name)
	if err != nil {
		return err
	}
	var dir fs.ReadDirFile
	var page []fs.DirEntry
	switch depth := q.r.Header.Get("Depth"); {
	case depth == "0":
	case depth == "1":
		if n.folder {
			dir, page, err = q.open()
		}
	case depth == "" || isInfinity(depth): // RFC 4918 has them mean the same
		if n.folder {
			return q.refuseInfinity()
		}
	default:
		return &wire.Error{
			Status: http.StatusBadRequest, Text: "the header Depth is none of 0, 1 and infinity",
		}
	}
	if err != nil {
		return err
	}
	q.startXML(http.StatusMultiStatus)
	m := &multistatus{w: bufio.NewWriterSize(q.w, 32<<10), asked: asked, q: q}
	m.w.WriteString(xml.Header + `<D:multistatus xmlns:D="DAV:">`)
	m.add(n)
	for len(page) > 0 && err == nil {
		if err = m.addPage(page); err == nil {
			page, err = dir.ReadDir(pageSize)
		}
	}
	if err != nil && err != io.EOF {
		// A client must not take half a listing for a whole one: if it syncs, it would delete the rest.
		wire.BreakOff(q.w, err)
	}
	m.w.WriteString("</D:multistatus>")
	m.w.Flush() // an error here is the client's
	return nil
}

func (q *request) startXML(status int) {
	q.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	q.w.Header().Set("Cache-Control", "no-store")
	q.w.WriteHeader(status)
}

// open returns the folder of the request, and its first page.
func (q *request) open() (fs.ReadDirFile, []fs.DirEntry, error) {
	f, err := q.v.FS(q.r.Context()).Open(q.name)
	if errors.Is(err, fs.ErrNotExist) { // a folder that leads to what the grant allows
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	dir, ok := f.(fs.ReadDirFile)
	if !ok { // a file, in the place of such a folder
		return nil, nil, f.Close()
	}
	page, err := dir.ReadDir(pageSize)
	if err == io.EOF {
		err = nil
	}
	return dir, page, err
}

// refuseInfinity is the answer that RFC 4918 has for a server that lists one level at a time.
func (q *request) refuseInfinity() error {
	q.startXML(http.StatusForbidden)
	io.WriteString(q.w, xml.Header+ // an error here is the client's
		`<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>`)
	return nil
}

// asked is what a PROPFIND asks for.
type asked struct {
	namesOnly bool
	some      bool       // only what names has
	names     []xml.Name // each once
}

// userNames returns what the names are in user metadata.
func (a asked) userNames() []string {
	list := make([]string, len(a.names))
	for i, n := range a.names {
		list[i] = userName(n)
	}
	return list
}

// asked reads the body of a PROPFIND.
func (q *request) asked() (asked, error) {
	body, err := xmlBody(q.w, q.r)
	if err != nil || len(body) == 0 {
		return asked{}, err
	}
	var b struct {
		XMLName  xml.Name  `xml:"DAV: propfind"`
		AllProp  *struct{} `xml:"DAV: allprop"`
		PropName *struct{} `xml:"DAV: propname"`
		Prop     *struct {
			Names []struct{ XMLName xml.Name } `xml:",any"`
		} `xml:"DAV: prop"`
	}
	err = xml.Unmarshal(body, &b)
	a := asked{namesOnly: b.PropName != nil, some: b.Prop != nil}
	switch {
	case err != nil, count(b.AllProp != nil, a.namesOnly, a.some) != 1:
		return a, &wire.Error{
			Status: http.StatusBadRequest, Text: "the body is no propfind", Cause: err,
		}
	case a.some && len(b.Prop.Names) > maxNames:
		return a, &wire.Error{
			Status: http.StatusBadRequest,
			Text:   "the body names more than " + strconv.Itoa(maxNames) + " properties",
		}
	case a.some:
		for _, n := range b.Prop.Names {
			if !slices.Contains(a.names, n.XMLName) {
				a.names = append(a.names, n.XMLName)
			}
		}
	}
	return a, nil
}

func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}
