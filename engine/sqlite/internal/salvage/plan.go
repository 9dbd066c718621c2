package salvage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// plan says where everything of a vault lies in a damaged file. A table that the file does not have
// is nil.
type plan struct {
	tables  []*keyTable
	values  *rawfile.Table
	chunks  *rawfile.Table
	orphans *rawfile.Table
	arrays  *rawArrays
	foreign []string
	newer   error // that the file is of a later version
}

// keyTable is a key-value table with its metadata and the index of its keys.
type keyTable struct {
	name    string
	guessed bool // the schema does not name it
	keyForm
	rows *rawfile.Table
	keys *rawfile.Index // nil if the table of another program has none
	// Where the rows have columns of metadata, updated has the ids of those whose value another
	// program has updated. Else the metadata is in a table, by row id or by key.
	updated   *rawfile.Table
	rowMeta   *rawfile.Table
	metaByKey *rawfile.Index
}

// twice says that rows of a table which the schema does not name were found as those of layout 1
// and of layout 2: an upgrade was interrupted, or its remains are there still.
func (p *plan) twice(kv *keyTable) bool {
	return kv.guessed && kv.meta > 0 && slices.ContainsFunc(p.tables, func(of *keyTable) bool {
		return of.guessed && of.meta == 0 && of.name == kv.name
	})
}

// surveyor finds the parts of the plan.
type surveyor struct {
	*Salvage
	scan    *rawfile.Scan
	objects []object
	// whole says that no part of the schema is lost, so that what it does not name is not there.
	whole bool
	// made says that this package has made or used the file, so that it has, or had, its tables.
	made    bool
	lost    []rawfile.Lost
	indexes []*rawfile.Index
}

func (s *Salvage) survey() (*plan, error) {
	sv := &surveyor{Salvage: s, scan: rawfile.NewScan(s.file)}
	sv.readSchema()
	sv.made = !sv.whole || slices.ContainsFunc(sv.objects, func(o object) bool {
		return ownTable(o.name)
	})
	p := &plan{newer: sv.newerLayoutVersion()}
	p.values = sv.table(format.ValuesTable, sv.made, valueForm)
	p.chunks = sv.table(format.ChunksTable, sv.made, chunkForm)
	p.orphans = sv.table(format.OrphansTable, sv.made, idForm)
	p.arrays = sv.findArrays()
	p.tables = sv.keyTables()
	sv.walkRest(p)
	sv.scan.Carve(sv.lost, sv.indexes)
	p.tables = slices.DeleteFunc(p.tables, func(kv *keyTable) bool {
		return kv.guessed && kv.rows.Empty()
	})
	switch {
	case len(p.tables) > 0:
	case p.arrays != nil && !p.arrays.meta.Empty():
		p.tables = []*keyTable{{name: format.DefaultTable, rows: &rawfile.Table{}}}
	case p.newer != nil:
		return nil, p.newer
	default:
		return nil, fmt.Errorf("%w: no row of a vault was found", engine.ErrCorrupt)
	}
	return p, nil
}

// table walks a table. If it is expected and the schema does not name it, it is looked for by the
// form of its rows.
func (sv *surveyor) table(name string, expected bool, f form) *rawfile.Table {
	o, there := sv.find(name)
	if !there && !expected {
		return nil
	}
	return sv.rowsAt(o.root, f)
}

func (sv *surveyor) rowsAt(root uint32, f form) *rawfile.Table {
	t := sv.scan.Table(root)
	sv.lost = append(sv.lost, rawfile.Lost{Table: t, Fits: f.fits})
	return t
}

func (sv *surveyor) indexAt(root uint32, f form) *rawfile.Index {
	x := sv.scan.Index(root, f.fits)
	sv.indexes = append(sv.indexes, x)
	return x
}

// keyTables finds the key-value tables that the schema names. Of one that it does not name, because
// it is damaged, rows of each form are looked for.
func (sv *surveyor) keyTables() (list []*keyTable) {
	for _, o := range sv.objects {
		if o.kind != "table" || o.says("WITHOUT ROWID") || format.CheckTable(o.name) != nil ||
			sv.opt.Table != "" && !strings.EqualFold(o.name, sv.opt.Table) {
			continue
		}
		i := slices.IndexFunc(keyForms[:], func(f keyForm) bool { return o.has(f.columns) })
		switch {
		case i < 0 && sv.ours(o.name): // its text in the schema is damaged
			sv.whole = false
			f := formOf(rawfile.NewScan(sv.file).Table(o.root))
			list = append(list, sv.keyTable(o, f, sv.keyIndex(o)))
		case i >= 0 && !sv.otherPurpose(o, keyForms[i].key):
			list = append(list, sv.keyTable(o, keyForms[i], sv.keyIndex(o)))
		}
	}
	for _, name := range sv.lostTables(list) {
		o := object{name: name}
		keys := sv.indexAt(sv.indexOf(o, "key"), keyEntryForm) // of whichever of them there is
		for _, f := range keyForms {
			kv := sv.keyTable(o, f, keys)
			kv.guessed = true
			switch {
			case name == "" && f.key == 0:
				kv.name = format.PythonTable
			case name == "":
				kv.name = format.DefaultTable
			}
			list = append(list, kv)
		}
	}
	return list
}

// lostTables returns the names of the key-value tables that only the tables of their metadata name.
// If the schema names none at all, because it is damaged, there is one of the name in the options,
// or of an unknown one.
func (sv *surveyor) lostTables(list []*keyTable) (names []string) {
	for _, o := range sv.objects {
		name := tableOf(o.name)
		_, there := sv.find(name)
		wanted := sv.opt.Table == "" || strings.EqualFold(name, sv.opt.Table)
		if o.kind == "table" && !there && wanted && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(list)+len(names) == 0 && sv.made {
		names = append(names, sv.opt.Table)
	}
	return names
}

// formOf returns the form of the first row that has any; that of the tables that this package makes
// if no row has.
func formOf(t *rawfile.Table) keyForm {
	for _, r := range t.Rows() {
		for _, f := range keyForms {
			if r.Err == nil && f.fits(r.Record) {
				return f
			}
		}
	}
	return keyForms[len(keyForms)-1]
}

// keyIndex walks the index of the keys of a table, if it has one.
func (sv *surveyor) keyIndex(o object) *rawfile.Index {
	if !sv.indexed(o, "key") {
		return nil
	}
	return sv.indexAt(sv.indexOf(o, "key"), keyEntryForm)
}

// keyTable finds what belongs to a key-value table.
func (sv *surveyor) keyTable(o object, f keyForm, keys *rawfile.Index) *keyTable {
	// A foreign row may have other classes, but then no gap is likely to be filled by it.
	kv := &keyTable{name: o.name, keyForm: f, rows: sv.rowsAt(o.root, f.form), keys: keys}
	meta := o.name + format.MetaSuffix
	switch {
	case f.meta > 0:
		kv.updated = sv.table(o.name+format.ForeignSuffix, true, idForm)
	case f.key > 0:
		kv.rowMeta = sv.table(meta, sv.made, metaForm)
	default:
		if m, there := sv.find(meta); there || sv.made {
			kv.metaByKey = sv.indexAt(m.root, metaByKeyForm)
		}
	}
	return kv
}

// walkRest walks what is no part of the vault, so that its pages are not taken for lost ones.
func (sv *surveyor) walkRest(p *plan) {
	for _, o := range sv.objects {
		if o.root > 0 && (o.kind == "index" || o.says("WITHOUT ROWID")) {
			sv.scan.Index(o.root, nil)
		} else if o.root > 0 && o.kind == "table" {
			sv.scan.Table(o.root)
		}
		if o.kind == "table" && sv.opt.Table == "" && !o.says("WITHOUT ROWID") && sv.foreign(o, p) {
			p.foreign = append(p.foreign, o.name)
		}
	}
}
