package dav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	// maxXML is the longest XML in the body of a request, in bytes.
	maxXML = 64 << 10
	// x/net/webdav recurses into elements, and repeats the namespace of each.
	maxNesting, maxElements, maxNamespace = 64, 2000, 256
)

// xmlBody returns the body of a request after checking that it is XML that x/net/webdav bears, or
// nothing. Of MKCOL it may be anything.
func xmlBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxXML))
	if err != nil && wire.AsError(err).Status == http.StatusInternalServerError {
		err = &wire.Error{Status: http.StatusBadRequest, Text: "the body broke off", Cause: err}
	}
	if err != nil {
		return nil, err
	}
	if len(body) == 0 || r.Method == "MKCOL" {
		return body, nil
	}
	plain, err := readXML(body)
	if err != nil {
		return nil, &wire.Error{
			Status: http.StatusBadRequest, Text: "the body is no XML that WebDAV knows", Cause: err,
		}
	}
	if r.Method == "LOCK" { // x/net/webdav repeats the owner without the prefixes declared around it
		return plain, nil
	}
	return body, nil
}

// readXML returns the elements and the text of a document. Every element declares its namespace.
func readXML(body []byte) ([]byte, error) {
	var plain bytes.Buffer
	d, e := xml.NewDecoder(bytes.NewReader(body)), xml.NewEncoder(&plain)
	depth, elements := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF && elements > 0 {
			err = e.Flush()
			return plain.Bytes(), err
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth, elements = depth+1, elements+1; depth > maxNesting || elements > maxElements {
				return nil, errors.New("there are too many elements, or they are nested too deeply")
			}
			if token, err = withoutDeclarations(t); err != nil {
				return nil, err
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
		default:
			continue
		}
		if err := e.EncodeToken(token); err != nil {
			return nil, err
		}
	}
}

// withoutDeclarations returns an element without the namespaces that it declares.
func withoutDeclarations(t xml.StartElement) (xml.StartElement, error) {
	var rest []xml.Attr
	for _, a := range t.Attr {
		switch {
		case a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}):
			rest = append(rest, a)
		case len(a.Value) > maxNamespace:
			return t, errors.New("the name of a namespace is too long")
		case a.Value == "" && a.Name.Space == "xmlns":
			return t, errors.New("a prefix stands for no namespace")
		}
	}
	t.Attr = rest
	return t, nil
}
