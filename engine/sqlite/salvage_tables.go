package sqlite

import (
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

// The forms of rows, by which those of a lost page are told apart: the classes of their columns.

func isForm(r *rawfile.Record, classes ...rawfile.Class) bool {
	if r.Len() != len(classes) {
		return false
	}
	for i, c := range classes {
		if r.Class(i) != c {
			return false
		}
	}
	return true
}

const (
	nullClass = rawfile.Null
	intClass  = rawfile.Int
	textClass = rawfile.Text
	blobClass = rawfile.Blob
)

func isSchema(r *rawfile.Record) bool {
	return isForm(r, textClass, textClass, textClass, intClass, textClass) || isForm(r, textClass, textClass, textClass, intClass, nullClass)
}

func isChunk(r *rawfile.Record) bool  { return isForm(r, nullClass, intClass, blobClass) }
func isOrphan(r *rawfile.Record) bool { return isForm(r, nullClass) }

func isValue(r *rawfile.Record) bool {
	return isForm(r, nullClass, intClass, intClass, intClass, intClass, nullClass, nullClass, textClass, intClass) || isForm(r, nullClass, intClass, intClass, intClass, intClass, textClass, blobClass, nullClass, intClass)
}

func isMeta(r *rawfile.Record) bool {
	return r.Len() == 7 && r.Class(0) == nullClass && r.Class(1) == intClass && r.Class(2) == intClass && r.Class(3) == intClass &&
		(r.Class(4) == nullClass || r.Class(4) == intClass) && isTextOrNull(r, 5) && isTextOrNull(r, 6)
}

func isMetaByKey(r *rawfile.Record) bool {
	return r.Len() == 7 && r.Class(0) == blobClass && r.Class(1) == intClass && r.Class(2) == intClass && r.Class(3) == intClass
}

func isTextOrNull(r *rawfile.Record, i int) bool {
	return r.Class(i) == nullClass || r.Class(i) == textClass
}

// isKeyEntry is an entry of the index of keys.
func isKeyEntry(r *rawfile.Record) bool { return isForm(r, blobClass, intClass) }

type keyForm struct {
	columns    string
	key, value int // which of them
	fits       func(*rawfile.Record) bool
}

// The forms of key-value rows: ours, the old one of the Python package, and its later one.
var keyForms = []keyForm{
	{"id key size value", 1, 3, func(r *rawfile.Record) bool { return isForm(r, nullClass, blobClass, intClass, blobClass) }},
	{"id key value size", 1, 2, func(r *rawfile.Record) bool { return isForm(r, nullClass, blobClass, blobClass, intClass) }},
	{"id key value", 1, 2, func(r *rawfile.Record) bool { return isForm(r, nullClass, blobClass, blobClass) }},
	{"key value", 0, 1, func(r *rawfile.Record) bool { return isForm(r, blobClass, blobClass) }},
}

const metaColumns = "id tag mtime sum stage type user"

// guessed says that the schema does not name the table.
func (kv *rawTable) guessed() bool { return kv.keys != nil && !kv.keys.Rooted() && !kv.rows.Rooted() }

// findTables finds the key-value tables that the schema names. If it names none, because it is damaged, rows of each form are looked for.
func (sv *surveyor) findTables(ours bool) (list []*rawTable) {
	for _, o := range sv.objects {
		columns := strings.Join(o.columns, " ")
		i := slices.IndexFunc(keyForms, func(f keyForm) bool { return f.columns == columns })
		if o.kind != "table" || i < 0 || checkTable(o.name) != nil || strings.Contains(strings.ToUpper(o.sql), "WITHOUT ROWID") {
			continue
		}
		if sv.opt.Table == "" || strings.EqualFold(o.name, sv.opt.Table) {
			list = append(list, sv.keyTable(o, i, ours))
		}
	}
	if len(list) > 0 || !ours {
		return list
	}
	for i, form := range keyForms {
		name := sv.opt.Table
		if name == "" {
			name = DefaultTable
		}
		if form.key == 0 && sv.opt.Table == "" {
			name = pythonTable
		}
		kv := sv.keyTable(object{}, i, true)
		kv.name = name
		list = append(list, kv)
	}
	return list
}

// keyTable walks a key-value table and what belongs to it.
func (sv *surveyor) keyTable(o object, form int, ours bool) *rawTable {
	f := keyForms[form]
	kv := &rawTable{name: o.name, key: f.key, value: f.value, rows: sv.scan.Table(o.root)}
	// A foreign row may have other classes, but then no gap is likely to be filled by it.
	sv.lost = append(sv.lost, rawfile.Lost{Table: kv.rows, Fits: f.fits})
	kv.keys = sv.index(o, isKeyEntry)
	if f.key == 1 {
		kv.meta = sv.table(o.name+metaSuffix, metaColumns, ours, isMeta)
		return kv
	}
	if m, there := sv.find(o.name+metaSuffix, metaColumns); there || ours {
		kv.metaByKey = sv.scan.Index(m.root, isMetaByKey)
		sv.indexes = append(sv.indexes, kv.metaByKey)
	}
	return kv
}
