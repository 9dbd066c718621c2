package salvage

import (
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// The forms of rows, by which those of a lost page are told apart: the classes of their columns.

func isForm(r *rawfile.Record, classes ...fileformat.Class) bool {
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
	nullClass = fileformat.Null
	intClass  = fileformat.Int
	textClass = fileformat.Text
	blobClass = fileformat.Blob
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
var keyForms = [...]keyForm{
	{"id key size value", 1, 3, func(r *rawfile.Record) bool { return isForm(r, nullClass, blobClass, intClass, blobClass) }},
	{"id key value size", 1, 2, func(r *rawfile.Record) bool { return isForm(r, nullClass, blobClass, blobClass, intClass) }},
	{"id key value", 1, 2, func(r *rawfile.Record) bool { return isForm(r, nullClass, blobClass, blobClass) }},
	{"key value", 0, 1, func(r *rawfile.Record) bool { return isForm(r, blobClass, blobClass) }},
}

// guessed says that the schema does not name the table.
func (kv *rawTable) guessed() bool { return kv.keys != nil && !kv.keys.Rooted() && !kv.rows.Rooted() }

// findTables finds the key-value tables that the schema names. If it names none, because it is
// damaged, rows of each form are looked for.
func (sv *surveyor) findTables(ours bool) (list []*rawTable) {
	for _, o := range sv.objects {
		if o.kind != "table" || format.CheckTable(o.name) != nil || sv.opt.Table != "" && !strings.EqualFold(o.name, sv.opt.Table) {
			continue
		}
		columns := strings.Join(o.columns, " ")
		i := slices.IndexFunc(keyForms[:], func(f keyForm) bool { return f.columns == columns })
		if i < 0 {
			if kv := sv.disfigured(o); kv != nil {
				list = append(list, kv)
			}
		} else if !strings.Contains(strings.ToUpper(o.sql), "WITHOUT ROWID") && !sv.otherPurpose(o, keyForms[i].key) {
			list = append(list, sv.keyTable(o, i, ours, sv.scan.Table(o.root)))
		}
	}
	if len(list) > 0 || !ours {
		return list
	}
	for i, form := range keyForms {
		name := sv.opt.Table
		if name == "" {
			name = format.DefaultTable
		}
		if form.key == 0 && sv.opt.Table == "" {
			name = format.PythonTable
		}
		kv := sv.keyTable(object{}, i, true, sv.scan.Table(0))
		kv.name = name
		list = append(list, kv)
	}
	return list
}

// otherPurpose says that a table has the columns of a key-value table by chance: no metadata, and
// keys that are no blobs, or that belongs to a virtual table of SQLite's, as vec_kvault_info does
// to vec_kvault.
func (sv *surveyor) otherPurpose(o object, key int) bool {
	if _, ours := sv.find(o.name+format.MetaSuffix, ""); ours {
		return false
	}
	of := func(types ...string) bool {
		return slices.ContainsFunc(types, func(t string) bool { return strings.Contains(o.types[key], t) })
	}
	if of("BLOB", "TEXT", "CHAR", "CLOB", "INT", "REAL", "NUM") {
		return !of("BLOB")
	}
	return slices.ContainsFunc(sv.objects, func(v object) bool {
		return strings.HasPrefix(strings.ToUpper(v.sql), "CREATE VIRTUAL") && strings.HasPrefix(strings.ToLower(o.name), strings.ToLower(v.name)+"_")
	})
}

// disfigured is a key-value table whose text in the schema does not say so: it has a table of
// metadata, and rows of the right form.
func (sv *surveyor) disfigured(o object) *rawTable {
	if _, known := sv.find(o.name+format.MetaSuffix, ""); !known {
		return nil
	}
	rows := sv.scan.Table(o.root)
	i := formOf(rows)
	if i < 0 {
		return nil
	}
	sv.whole = false
	return sv.keyTable(o, i, true, rows)
}

// formOf returns which form most of the rows have that can be read, or -1.
func formOf(t *rawfile.Table) int {
	const enough = 1000
	var counts [len(keyForms)]int
	n := 0
	for _, r := range t.Rows() {
		if r.Err != nil {
			continue
		}
		if i := slices.IndexFunc(keyForms[:], func(f keyForm) bool { return f.fits(r.Record) }); i >= 0 {
			counts[i]++
		}
		if n++; n == enough {
			break
		}
	}
	most := slices.Max(counts[:])
	if 2*most <= n {
		return -1
	}
	return slices.Index(counts[:], most)
}

// indexed says that a table has an index of its keys or names, or had one. A table of another program need not.
func (sv *surveyor) indexed(o object, column string) bool {
	_, columns, _ := strings.Cut(strings.ToUpper(o.sql), "(")
	if len(o.columns) > 0 && o.columns[0] != column {
		_, columns, _ = strings.Cut(columns, ",") // the row id has no index
	}
	return !sv.whole || o.name == "" || strings.Contains(columns, "UNIQUE") || strings.Contains(columns, "PRIMARY KEY") || sv.indexOf(o, column) != 0
}

// keyTable finds what belongs to a key-value table.
func (sv *surveyor) keyTable(o object, form int, ours bool, rows *rawfile.Table) *rawTable {
	f := keyForms[form]
	kv := &rawTable{name: o.name, key: f.key, value: f.value, rows: rows}
	// A foreign row may have other classes, but then no gap is likely to be filled by it.
	sv.lost = append(sv.lost, rawfile.Lost{Table: kv.rows, Fits: f.fits})
	if sv.indexed(o, "key") {
		kv.keys = sv.index(o, "key", isKeyEntry)
	}
	if f.key == 1 {
		kv.meta = sv.table(o.name+format.MetaSuffix, format.MetaColumns, ours, isMeta)
		return kv
	}
	if m, there := sv.find(o.name+format.MetaSuffix, format.MetaColumns); there || ours {
		kv.metaByKey = sv.scan.Index(m.root, isMetaByKey)
		sv.indexes = append(sv.indexes, kv.metaByKey)
	}
	return kv
}

func isLayout(r *rawfile.Record) bool { return isForm(r, textClass, textClass) }

// newerLayout says that the file is of a later version of this package, or nil.
func (sv *surveyor) newerLayout() error {
	o, there := sv.find(format.LayoutTable, "name value")
	if !there || o.name != format.LayoutTable {
		return nil
	}
	x := rawfile.NewScan(sv.file).Index(o.root, isLayout) // a scan of its own, since rest goes there too
	for r := range x.Entries() {
		if r.Err != nil || !isLayout(r.Record) {
			continue
		}
		name, err := r.Bytes(0, engine.MaxKey)
		version, versionErr := r.Bytes(1, engine.MaxKey)
		if err == nil && versionErr == nil && string(name) == "version" {
			return format.CheckVersion(string(version))
		}
	}
	return nil
}
