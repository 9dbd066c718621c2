package salvage

import (
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// object is a row of the schema.
type object struct {
	kind, name, table string
	root              uint32
	// columns are the first words of what a table has as columns, in lower case, and types the
	// second, in upper case.
	columns, types []string
	sql            string
}

// maxSchema is more than the text of any object has that makes a vault.
const maxSchema = 1 << 20

func (sv *surveyor) readSchema() {
	t := sv.scan.Table(1)
	if !t.Whole() {
		sv.scan.Carve([]rawfile.Lost{{Table: t, Fits: schemaForm.fits}}, nil)
	}
	sv.whole = t.Whole()
	for _, r := range t.Rows() {
		if r.Err != nil {
			sv.whole = false
			continue
		}
		if o, err := readObject(r.Record); err == nil {
			sv.objects = append(sv.objects, o)
		} else {
			sv.whole = false
		}
	}
}

func readObject(r *rawfile.Record) (o object, err error) {
	for i, to := range []*string{0: &o.kind, 1: &o.name, 2: &o.table, 4: &o.sql} {
		if to == nil {
			continue
		}
		b, err := r.Bytes(i, maxSchema)
		if err != nil {
			return o, err
		}
		*to = string(b)
	}
	root, err := r.Int(3)
	if err != nil || root < 0 || root > 1<<32-2 {
		return o, rawfile.Damaged("root page %d", root)
	}
	o.root = uint32(root)
	o.columns, o.types = columnsIn(o.sql)
	if o.kind == "table" && strings.Contains(o.sql, o.table) { // the name stands in three places
		o.name = o.table
	}
	return o, nil
}

// columnsIn returns the names and types in the definitions of a CREATE TABLE, or the columns of a
// CREATE INDEX; a type is empty if there is none.
func columnsIn(sql string) (names, types []string) {
	open := strings.IndexByte(sql, '(')
	depth, from := 0, open+1
	for i := max(open, 0); i < len(sql); i++ {
		switch sql[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 1 && sql[i] == ',' || depth == 0 {
			words := append(strings.Fields(sql[from:i]), "", "")
			if from = i + 1; words[0] != "" {
				names = append(names, strings.ToLower(strings.Trim(words[0], "\"`[]'")))
				types = append(types, strings.ToUpper(words[1]))
			}
		}
		if depth == 0 {
			break
		}
	}
	return names, types
}

// has says whether a table has just these columns.
func (o object) has(columns string) bool { return strings.Join(o.columns, " ") == columns }

// says says whether the text of an object has a word, which is in upper case.
func (o object) says(word string) bool { return strings.Contains(strings.ToUpper(o.sql), word) }

// find returns what the schema says of a table.
func (sv *surveyor) find(name string) (o object, there bool) {
	i := slices.IndexFunc(sv.objects, func(o object) bool {
		return o.kind == "table" && strings.EqualFold(o.name, name)
	})
	if i < 0 {
		return o, false
	}
	return sv.objects[i], true
}

// indexOf returns the root page of an index of all rows of a table on the given columns, 0 if the
// schema has none. That of a constraint has no text.
func (sv *surveyor) indexOf(o object, columns string) (root uint32) {
	for _, x := range sv.objects {
		switch {
		case x.kind != "index" || !strings.EqualFold(x.table, o.name) || o.name == "":
		case x.sql == "":
			return x.root
		case x.has(columns) && !x.says("WHERE"):
			root = x.root
		}
	}
	return root
}

// indexed says that a table has an index of its keys or names, or had one. A table of another
// program need not.
func (sv *surveyor) indexed(o object, column string) bool {
	primary := o.says("PRIMARY KEY") && slices.Index(o.columns, column) == 0
	return !sv.whole || o.name == "" || primary || o.says("UNIQUE") || sv.indexOf(o, column) != 0
}

// tableOf returns the name of the key-value table whose metadata a table is for, or the name
// itself.
func tableOf(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, format.MetaSuffix), format.ForeignSuffix)
}

// ours says whether this package keeps metadata for a table.
func (sv *surveyor) ours(table string) bool {
	_, beside := sv.find(table + format.MetaSuffix)
	_, within := sv.find(table + format.ForeignSuffix)
	return beside || within
}

// ownTable says whether a name is that of a table that only this package makes.
func ownTable(name string) bool {
	lower := strings.ToLower(name)
	return slices.Contains(format.OwnTables, lower) ||
		strings.HasSuffix(lower, format.UpgradeSuffix) || tableOf(lower) != lower
}

// otherPurpose says that a table has the columns of a key-value table by chance: no metadata, and
// keys that are no blobs, or that belongs to a virtual table of SQLite's, as vec_kvault_info does
// to vec_kvault.
func (sv *surveyor) otherPurpose(o object, key int) bool {
	if sv.ours(o.name) {
		return false
	}
	if t := o.types[key]; strings.Contains(t, "BLOB") {
		return false
	} else if slices.ContainsFunc([]string{"TEXT", "CHAR", "CLOB", "INT", "REAL", "NUM"},
		func(class string) bool { return strings.Contains(t, class) }) {
		return true
	}
	return slices.ContainsFunc(sv.objects, func(v object) bool {
		owned := strings.HasPrefix(strings.ToLower(o.name), strings.ToLower(v.name)+"_")
		return owned && strings.HasPrefix(strings.ToUpper(v.sql), "CREATE VIRTUAL")
	})
}

// foreign says that a table is none of a vault.
func (sv *surveyor) foreign(o object, p *plan) bool {
	lower := strings.ToLower(o.name)
	known := ownTable(lower) || slices.Contains(format.SharedTables, lower) ||
		strings.HasPrefix(lower, "sqlite_")
	if p.arrays == nil && (lower == format.ArrayTable || lower == format.ArrayChunkTable) {
		known = false
	}
	return !known && !slices.ContainsFunc(p.tables, func(kv *keyTable) bool {
		return strings.EqualFold(kv.name, o.name)
	})
}

// newerLayoutVersion says that the file is of a later version of this package, or nil.
func (sv *surveyor) newerLayoutVersion() error {
	o, there := sv.find(format.LayoutTable)
	if !there {
		return nil
	}
	x := rawfile.NewScan(sv.file).Index(o.root, layoutVersionForm.fits) // walkRest goes there, too
	for r := range x.Entries() {
		name, err := r.Bytes(0, engine.MaxKey)
		version, versionErr := r.Bytes(1, engine.MaxKey)
		if err == nil && versionErr == nil && string(name) == "version" {
			return format.CheckVersion(string(version))
		}
	}
	return nil
}
