package salvage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// plan is where everything of a vault lies in a damaged file. A table that the file does not have is nil.
type plan struct {
	tables  []*rawTable
	values  *rawfile.Table
	chunks  *rawfile.Table
	orphans *rawfile.Table
	arrays  *rawArrays
	foreign []string
	newer   error // that the file is of a later version
}

// rawTable is a key-value table with its metadata and the index of its keys.
type rawTable struct {
	name       string
	key, value int // which columns
	rows       *rawfile.Table
	keys       *rawfile.Index
	meta       *rawfile.Table // by row id
	metaByKey  *rawfile.Index
}

// object is a row of the schema.
type object struct {
	kind, name, table string
	root              uint32
	columns, types    []string // of a table: the first words of what it has as columns in lower case, and the second in upper case
	sql               string
}

// maxSchema is more than the text of any object has that makes a vault.
const maxSchema = 1 << 20

// surveyor finds the parts of the plan.
type surveyor struct {
	*Salvage
	scan    *rawfile.Scan
	objects []object
	// whole says that no part of the schema is lost, so that what it does not name is not there.
	whole   bool
	lost    []rawfile.Lost
	indexes []*rawfile.Index
}

func (s *Salvage) survey() (*plan, error) {
	sv := &surveyor{Salvage: s, scan: rawfile.NewScan(s.file)}
	sv.readSchema()
	p := &plan{newer: sv.newerLayout()}
	ours := slices.ContainsFunc(sv.objects, func(o object) bool {
		return slices.Contains(format.OwnTables, o.name) || strings.HasSuffix(o.name, format.MetaSuffix)
	})
	ours = ours || !sv.whole
	p.values = sv.table(format.ValuesTable, "id nonce chunk_bytes size sum tbl key owner beat", ours, isValue)
	p.chunks = sv.table(format.ChunksTable, "id sum data", ours, isChunk)
	p.orphans = sv.table(format.OrphansTable, "id", ours, isOrphan)
	p.arrays = sv.findArrays()
	p.tables = sv.findTables(ours)
	sv.rest(p)
	sv.scan.Rescue(sv.lost, sv.indexes)
	p.tables = slices.DeleteFunc(p.tables, func(kv *rawTable) bool { return kv.guessed() && kv.rows.Empty() })
	if len(p.tables) > 0 {
		return p, nil
	}
	if p.arrays == nil || p.arrays.meta.Empty() {
		if p.newer != nil {
			return nil, p.newer
		}
		return nil, fmt.Errorf("%w: no row of a vault was found", engine.ErrCorrupt)
	}
	p.tables = []*rawTable{{name: format.DefaultTable, rows: &rawfile.Table{}}}
	return p, nil
}

func (sv *surveyor) readSchema() {
	t := sv.scan.Table(1)
	if !t.Whole() {
		sv.scan.Rescue([]rawfile.Lost{{Table: t, Fits: isSchema}}, nil)
	}
	sv.whole = t.Whole()
	for _, r := range t.Rows() {
		o, err := readObject(r)
		if err != nil {
			sv.whole = false
			continue
		}
		sv.objects = append(sv.objects, o)
	}
}

func readObject(r rawfile.RowResult) (o object, err error) {
	if r.Err != nil {
		return o, r.Err
	}
	var text [3]string
	for i := range text {
		b, err := r.Bytes(i, maxSchema)
		if err != nil {
			return o, err
		}
		text[i] = string(b)
	}
	root, err := r.Int(3)
	if err != nil || root < 0 || root > 1<<32-2 {
		return o, fmt.Errorf("%w: root page %d", rawfile.ErrDamaged, root)
	}
	sql, err := r.Bytes(4, maxSchema)
	o = object{kind: text[0], name: text[1], table: text[2], root: uint32(root), sql: string(sql)}
	if o.kind == "table" {
		o.columns, o.types = columnsIn(o.sql)
		if o.name != o.table && strings.Contains(o.sql, o.table) { // the name stands in three places
			o.name = o.table
		}
	}
	return o, err
}

// columnsIn are the names and types in the definitions of a CREATE TABLE; a type is empty if there is none.
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

// find returns what the schema says of a table; by its columns, if there is none of that name and
// it is the only one that has them.
func (sv *surveyor) find(name, columns string) (object, bool) {
	var alike []object
	for _, o := range sv.objects {
		switch {
		case o.kind != "table":
		case strings.EqualFold(o.name, name):
			return o, true
		case strings.Join(o.columns, " ") == columns:
			alike = append(alike, o)
		}
	}
	if len(alike) != 1 {
		return object{}, false
	}
	return alike[0], true
}

// table walks a table. If it is expected and the schema does not name it, it is looked for by the form of its rows.
func (sv *surveyor) table(name, columns string, expected bool, fits func(*rawfile.Record) bool) *rawfile.Table {
	if !expected {
		columns = ""
	}
	o, there := sv.find(name, columns)
	if !there && !expected {
		return nil
	}
	t := sv.scan.Table(o.root)
	sv.lost = append(sv.lost, rawfile.Lost{Table: t, Fits: fits})
	return t
}

// index walks an index of a table on the given columns; one is enough.
func (sv *surveyor) index(o object, columns string, fits func(*rawfile.Record) bool) *rawfile.Index {
	x := sv.scan.Index(sv.indexOf(o, columns), fits)
	sv.indexes = append(sv.indexes, x)
	return x
}

// indexOf returns the root page of an index of all rows of a table on the given columns, 0 if the
// schema has none. That of a constraint has no text.
func (sv *surveyor) indexOf(o object, columns string) (root uint32) {
	for _, x := range sv.objects {
		switch {
		case x.kind != "index" || !strings.EqualFold(x.table, o.name) || o.name == "":
		case x.sql == "":
			return x.root
		case x.indexes(columns) && !strings.Contains(strings.ToUpper(x.sql), "WHERE"):
			root = x.root
		}
	}
	return root
}

// indexes says whether an index is on the given columns.
func (o object) indexes(columns string) bool {
	names, _ := columnsIn(o.sql)
	return strings.Join(names, " ") == columns
}

// rest walks what is no part of the vault, so that its pages are not taken for lost ones.
func (sv *surveyor) rest(p *plan) {
	for _, o := range sv.objects {
		switch {
		case o.root == 0:
			if o.kind == "table" {
				p.foreign = append(p.foreign, o.name)
			}
		case o.kind == "index" || strings.Contains(strings.ToUpper(o.sql), "WITHOUT ROWID"):
			sv.scan.Index(o.root, nil)
		case o.kind == "table":
			sv.scan.Table(o.root)
			if sv.isForeign(o.name, p) {
				p.foreign = append(p.foreign, o.name)
			}
		}
	}
}

func (sv *surveyor) isForeign(name string, p *plan) bool {
	lower := strings.ToLower(name)
	if p.arrays == nil && (lower == format.ArrayTable || lower == format.ArrayChunkTable) {
		return sv.opt.Table == ""
	}
	return sv.opt.Table == "" && !slices.Contains(format.OwnTables, lower) && !slices.Contains(format.SharedTables, lower) &&
		!strings.HasPrefix(lower, "sqlite_") && !strings.HasSuffix(lower, format.MetaSuffix) &&
		!slices.ContainsFunc(p.tables, func(kv *rawTable) bool { return strings.EqualFold(kv.name, name) })
}
