package salvage

import (
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// A form tells the rows of a table, or the entries of an index, from those of others. It has a
// letter for each column: in lower case for a storage class, in upper case for that or NULL, and
// '*' for text or a blob. '+' says that further columns may follow.
type form []string

var (
	schemaForm        = form{"tttiT"}
	layoutVersionForm = form{"tt"}
	// A value that is being written, or abandoned; one that is complete; one kept for its copies.
	valueForm      = form{"niiiinnti", "niiiitbni", "niiiinnni"}
	chunkForm      = form{"nib"}
	idForm         = form{"n"} // of tables that have ids only
	metaForm       = form{"niiiITT"}
	metaByKeyForm  = form{"biiiITT"}
	keyEntryForm   = form{"bi"}
	arrayForm      = form{"nttiii", "nttiiiii"}
	arrayChunkForm = form{"ii*i+"}
	chunkEntryForm = form{"iii"}
	nameEntryForm  = form{"ti"}
)

var classes = map[byte]fileformat.Class{'n': fileformat.Null, 'i': fileformat.Int,
	't': fileformat.Text, 'b': fileformat.Blob}

// fits says whether a record has the form.
func (f form) fits(r *rawfile.Record) bool {
	return slices.ContainsFunc(f, func(letters string) bool {
		letters, more := strings.CutSuffix(letters, "+")
		if r.Len() < len(letters) || r.Len() > len(letters) && !more {
			return false
		}
		for i, c := range []byte(letters) {
			got := r.Class(i)
			lower := c | 0x20
			switch {
			case c == '*' && (got == fileformat.Text || got == fileformat.Blob):
			case c != lower && got == fileformat.Null:
			case c != '*' && got == classes[lower]:
			default:
				return false
			}
		}
		return true
	})
}

// keyForm is a form of key-value table.
type keyForm struct {
	columns    string
	key, value int // which of the columns
	meta       int // where the columns of metadata begin; 0 if there are none
	form
}

// The forms of key-value tables: that of layout 1, the old one of the Python package, its later
// one, and that of layout 2, of which a table of layout 1 can have a copy while it is being
// converted.
var keyForms = [...]keyForm{
	{"id key size value", 1, 3, 0, form{"nbib"}},
	{"id key value size", 1, 2, 0, form{"nbbi"}},
	{"id key value", 1, 2, 0, form{"nbb"}},
	{"key value", 0, 1, 0, form{"bb"}},
	{"id key size tag mtime sum stage type user value", 1, 9, 3, form{"nbiIIIITTb"}},
}
