package dav

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/webdav"

	"github.com/kohakuvault/kvault/engine"
)

// Properties that clients set, "dead" ones in RFC 4918, are user metadata of the key, or of a
// folder's own key. Their name is "{namespace}name", and their value XML. An attribute xml:lang is
// an entry with langSuffix after the name.
const langSuffix = "@xml:lang"

func userName(n xml.Name) string { return "{" + n.Space + "}" + n.Local }

// isDead reports whether an entry of user metadata is a property or its language.
func isDead(name string) bool {
	return strings.HasPrefix(name, "{") && strings.Contains(name, "}")
}

// maxDead is how many properties of a node a client gets that does not ask for each by its name.
const maxDead = 500

// deadNames returns the first maxDead names of properties in user metadata, in their order.
func deadNames(user map[string]string) []string {
	var names []string
	for name := range user {
		if isDead(name) && !strings.HasSuffix(name, langSuffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxDead)]
}

// deadProperties returns the properties with these names in user metadata. Others than PROPPATCH
// may have made entries that look like properties: what would not be well-formed in the answer, or
// claim to be a property of the server, is left out.
func deadProperties(user map[string]string, names []string) []property {
	var found []property
	for _, name := range names {
		if _, ok := user[name]; !ok {
			continue
		}
		end := strings.LastIndexByte(name, '}')
		p := property{
			name:  xml.Name{Space: name[1:end], Local: name[end+1:]},
			value: user[name], lang: user[name+langSuffix],
		}
		if !isLive(p.name) && p.wellFormed() {
			found = append(found, p)
		}
	}
	return found
}

// isLive reports whether x/net/webdav keeps clients from setting the property.
func isLive(n xml.Name) bool {
	switch n.Local {
	case "resourcetype", "displayname", "getcontentlength", "getlastmodified", "creationdate",
		"getcontentlanguage", "getcontenttype", "getetag", "lockdiscovery", "supportedlock":
		return n.Space == "DAV:"
	}
	return false
}

// property is one property of a node.
type property struct {
	name  xml.Name
	value string // as XML
	lang  string
}

// write writes the property as an element in one that declares D.
func (p property) write(b *bytes.Buffer) {
	name, declaration := p.name.Local, ""
	switch p.name.Space {
	case "":
	case "DAV:":
		name = "D:" + name
	default:
		name, declaration = "x:"+name, ` xmlns:x="`+escape(p.name.Space)+`"`
	}
	b.WriteString("<" + name + declaration)
	if p.lang != "" {
		b.WriteString(` xml:lang="` + escape(p.lang) + `"`)
	}
	b.WriteString(">" + p.value + "</" + name + ">")
}

// wellFormed reports whether what write writes is one well-formed element of that name, and
// declares the prefixes that it uses.
func (p property) wellFormed() bool {
	var b bytes.Buffer
	b.WriteString(`<D:prop xmlns:D="DAV:">`)
	p.write(&b)
	b.WriteString("</D:prop>")
	d := xml.NewDecoder(&b)
	spaces := map[string]bool{"": true, "xmlns": true, "http://www.w3.org/XML/1998/namespace": true}
	depth, inner := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return inner == 1
		}
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				inner++
			}
			if depth == 2 && t.Name != p.name || depth == 1 && inner > 0 || !declares(t, spaces) {
				return false
			}
		case xml.EndElement:
			depth--
		case xml.ProcInst, xml.Directive:
			return false
		}
	}
}

// declares adds the namespaces that an element declares to spaces, and reports whether those it
// uses are there. The decoder takes a prefix that nobody declared for a namespace.
func declares(t xml.StartElement, spaces map[string]bool) bool {
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name == (xml.Name{Local: "xmlns"}) {
			spaces[a.Value] = true
		}
	}
	for _, a := range t.Attr {
		if !spaces[a.Name.Space] {
			return false
		}
	}
	return spaces[t.Name.Space]
}

// The properties that set the time of a file: Windows has the first, rclone the second.
var (
	windowsTime = xml.Name{Space: "urn:schemas-microsoft-com:", Local: "Win32LastModifiedTime"}
	rcloneTime  = xml.Name{Space: "DAV:", Local: "lastmodified"}
)

// apply changes user metadata as patches say. The time is zero unless one of them sets it.
func apply(user map[string]string, patches []webdav.Proppatch) (modTime time.Time) {
	for _, patch := range patches {
		for _, p := range patch.Props {
			name := userName(p.XMLName)
			delete(user, name)
			delete(user, name+langSuffix)
			if patch.Remove {
				continue
			}
			if at, ok := timeOf(p); ok {
				modTime = at
			}
			if p.XMLName == rcloneTime { // which getlastmodified gives back
				continue
			}
			user[name] = string(p.InnerXML)
			if p.Lang != "" {
				user[name+langSuffix] = p.Lang
			}
		}
	}
	return modTime
}

// timeOf returns the time that a property sets.
func timeOf(p webdav.Property) (time.Time, bool) {
	text := strings.TrimSpace(string(p.InnerXML))
	switch p.XMLName {
	case windowsTime:
		t, err := http.ParseTime(text)
		return engine.FitModTime(t), err == nil
	case rcloneTime:
		return unixTime(text)
	}
	return time.Time{}, false
}

// unixTime reads a time in seconds since 1970, as rclone and Nextcloud's clients write it.
func unixTime(text string) (time.Time, bool) {
	text, _, _ = strings.Cut(text, ".")
	n, err := strconv.ParseInt(text, 10, 64)
	return engine.FitModTime(time.Unix(n, 0)), err == nil
}
