package page

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
)

// spareRows is how many empty rows the form of the metadata has, for more entries.
const spareRows = 2

// maxMetadataForm is the most bytes of the form: a byte of the metadata may become three.
const maxMetadataForm = 3*kvault.MaxUserMetadata + 64<<10

// metadataForm is what can be changed of an entry.
type metadataForm struct {
	Type, Tag string
	Rows      []metadataRow
	// Fixed says that a form cannot carry what is there, such as bytes that are no text.
	Fixed bool
}

type metadataRow struct{ Name, Value string }

// errForm is an error of a form whose text behind it is for people.
var errForm = errors.New("form")

// metadataOf returns the form for an entry.
func metadataOf(e kvault.Entry) metadataForm {
	f := metadataForm{Type: e.ContentType, Tag: e.Tag, Fixed: !carriedName(e.ContentType)}
	for _, name := range slices.Sorted(maps.Keys(e.User)) {
		f.Rows = append(f.Rows, metadataRow{name, e.User[name]})
		f.Fixed = f.Fixed || name == "" || !carriedName(name) || !carried(e.User[name])
	}
	f.Rows = append(f.Rows, make([]metadataRow, spareRows)...)
	return f
}

// Stored are the rows with a name.
func (f metadataForm) Stored() []metadataRow {
	empty := func(r metadataRow) bool { return r == metadataRow{} }
	return slices.DeleteFunc(slices.Clone(f.Rows), empty)
}

// carried reports whether a form sends s back as it is. Browsers change line ends, and what is no
// text.
func carried(s string) bool {
	unfit := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unfit)
}

// carriedName is carried for what stands on one line, without spaces around it.
func carriedName(s string) bool {
	return carried(s) && !strings.ContainsAny(s, "\n\t") && strings.TrimSpace(s) == s
}

// metadataIn reads the form. A row without a name is left out, which removes an entry.
func metadataIn(w http.ResponseWriter, r *http.Request) (metadataForm, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxMetadataForm)
	if err := r.ParseForm(); err != nil {
		return metadataForm{}, brokeOff(err)
	}
	f := metadataForm{Type: strings.TrimSpace(r.PostForm.Get("type")), Tag: r.PostForm.Get("tag")}
	names, values := r.PostForm["name"], r.PostForm["value"]
	if len(names) != len(values) {
		return f, fmt.Errorf("%w: The form has %d names for %d values", errForm, len(names), len(values))
	}
	seen := map[string]bool{}
	var err error
	for i, name := range names {
		name, value := strings.TrimSpace(name), strings.ReplaceAll(values[i], "\r\n", "\n")
		f.Rows = append(f.Rows, metadataRow{name, value})
		switch {
		case name == "" && value != "":
			err = fmt.Errorf("%w: The value %.60q has no name", errForm, value)
		case name != "" && seen[name]:
			err = fmt.Errorf("%w: The name %.60q is there twice", errForm, name)
		}
		seen[name] = true
	}
	return f, err
}

// options are what the vault is to change.
func (f metadataForm) options() *kvault.MetadataOptions {
	o := &kvault.MetadataOptions{ContentType: f.Type, IfTag: f.Tag, User: map[string]string{}}
	if f.Type == "" {
		o.ContentType = kvault.NoContentType
	}
	for _, row := range f.Rows {
		if row.Name != "" {
			o.User[row.Name] = row.Value
		}
	}
	return o
}
