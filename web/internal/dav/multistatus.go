package dav

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// multistatus writes the answer to a PROPFIND.
type multistatus struct {
	w     *bufio.Writer
	asked asked
	q     *request
	buf   bytes.Buffer // one response
}

// addPage adds what the grant lets the request see of a page.
func (m *multistatus) addPage(page []fs.DirEntry) error {
	for _, d := range page {
		if err := m.q.r.Context().Err(); err != nil {
			return err
		}
		n := node{name: path.Join(m.q.name, d.Name()), found: true, folder: d.IsDir()}
		if !nameable(n.name) || !m.q.visible(n) {
			continue
		}
		if n.folder {
			if err := m.q.lookAtMark(m.q.v, &n); err != nil {
				return err
			}
		} else {
			info, err := d.Info()
			if err != nil {
				return err
			}
			n.entry, _ = info.Sys().(kvault.Entry)
		}
		if err := m.add(n); err != nil {
			return err
		}
	}
	return nil
}

// add adds one response.
func (m *multistatus) add(n node) error {
	b := &m.buf
	b.Reset()
	b.WriteString("<D:response><D:href>" + hrefOf(n.name, n.folder) + "</D:href>")
	found := m.q.propertiesOf(n, m.asked)
	var missing []property
	if m.asked.some {
		all := found
		found = nil
		for _, name := range m.asked.names {
			i := slices.IndexFunc(all, func(p property) bool { return p.name == name })
			if i < 0 {
				missing = append(missing, property{name: name})
			} else {
				found = append(found, all[i])
			}
		}
	}
	if m.asked.namesOnly {
		for i := range found {
			found[i].value = ""
		}
	}
	if len(found) > 0 || len(missing) == 0 {
		writeStatus(b, found, "200 OK")
	}
	if len(missing) > 0 {
		writeStatus(b, missing, "404 Not Found")
	}
	b.WriteString("</D:response>")
	_, err := m.w.Write(b.Bytes())
	return err
}

func writeStatus(b *bytes.Buffer, list []property, status string) {
	b.WriteString("<D:propstat><D:prop>")
	for _, p := range list {
		p.write(b)
	}
	b.WriteString("</D:prop><D:status>HTTP/1.1 " + status + "</D:status></D:propstat>")
}

// live is a property that the server makes.
func live(local, value string) property {
	return property{name: xml.Name{Space: "DAV:", Local: local}, value: value}
}

// propertiesOf returns the properties of n, of the dead ones those that are asked for.
func (q *request) propertiesOf(n node, a asked) []property {
	name, kind := path.Base(n.name), ""
	if n.name == "." {
		name = ""
	}
	if n.folder {
		kind = "<D:collection/>"
	}
	list := []property{
		live("resourcetype", kind),
		live("displayname", escape(name)),
		live("supportedlock", "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope>"+
			"<D:locktype><D:write/></D:locktype></D:lockentry>"),
		live("lockdiscovery", q.activeLock(n)),
	}
	e := n.entry
	if !e.ModTime.IsZero() {
		list = append(list, live("getlastmodified", e.ModTime.UTC().Format(http.TimeFormat)))
	}
	if !n.folder {
		list = append(list, live("getcontentlength", strconv.FormatInt(e.Size, 10)))
		if tag := wire.ETag(e); tag != "" {
			list = append(list, live("getetag", escape(tag)))
		}
		if e.ContentType != "" {
			list = append(list, live("getcontenttype", escape(e.ContentType)))
		}
	}
	names := a.userNames()
	if !a.some {
		names = deadNames(e.User)
	}
	return append(list, deadProperties(e.User, names)...)
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// activeLock returns the lock that protects n. Its token is for those alone who may lock the
// same themselves: they could wait until it ends.
func (q *request) activeLock(n node) string {
	k, ok := q.locks.discover(n.name)
	if !ok {
		return ""
	}
	depth, token := "infinity", ""
	if k.ZeroDepth {
		depth = "0"
	}
	if q.mayEnd(k) {
		token = "<D:locktoken><D:href>" + k.token + "</D:href></D:locktoken>"
	}
	left := max(0, int64(time.Until(k.expires)/time.Second))
	return "<D:activelock><D:locktype><D:write/></D:locktype>" +
		"<D:lockscope><D:exclusive/></D:lockscope><D:depth>" + depth + "</D:depth>" +
		"<D:owner>" + k.OwnerXML + "</D:owner>" +
		"<D:timeout>Second-" + strconv.FormatInt(left, 10) + "</D:timeout>" + token +
		"<D:lockroot><D:href>" + hrefOf(k.name, false) + "</D:href></D:lockroot></D:activelock>"
}
