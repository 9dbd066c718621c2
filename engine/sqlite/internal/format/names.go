package format

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// Version is the newest version of the layout that is known here.
const Version = 3

// The tables that this package has besides the key-value tables; docs/format.md describes them.
const (
	LayoutTable  = "kvault_layout"
	ValuesTable  = "kvault_values"
	ChunksTable  = "kvault_chunks"
	OrphansTable = "kvault_orphans"
	UploadsTable = "kvault_uploads" // made with the first upload
)

// DefaultTable is the key-value table when none is named; PythonTable is what the Python package's
// code defaults to.
const (
	DefaultTable = "kvault"
	PythonTable  = "kv"
)

// The tables of arrays, as the Python package makes them.
const (
	ArrayTable      = "col_meta"
	ArrayChunkTable = "col_chunks"
)

// The tables in which versions 1.x of the Python package keep columns. They share nothing with
// those of 0.x.
const (
	BlockFormatTable = "kvault_col_format"
	BlockArrayTable  = "kvault_col_columns"
	BlockTable       = "kvault_col_blocks"
	BlockDataTable   = "kvault_col_data"
)

var (
	// OwnTables are those that only this package makes, and SharedTables those of the Python
	// package that it can use.
	OwnTables    = []string{LayoutTable, ValuesTable, ChunksTable, OrphansTable, UploadsTable}
	SharedTables = []string{"kohakuvault_meta", ArrayTable, ArrayChunkTable}
	// ReservedTables are all those that vault files hold besides key-value tables.
	ReservedTables = slices.Concat(OwnTables, SharedTables, []string{BlockFormatTable, BlockArrayTable, BlockTable, BlockDataTable})
)

// Where the metadata of the values of a key-value table is.
const (
	// RowMetaColumns are columns of the key-value table itself, before the value, in tables of layout
	// 2. The table whose name has ForeignSuffix appended holds, in ForeignColumns, the ids of rows that
	// another program has updated: what those columns say of such a row is not true.
	RowMetaColumns = "tag mtime sum stage type user"
	ForeignSuffix  = "_kvforeign"
	ForeignColumns = "id"
	// Tables of layout 1, and of other programs, have their metadata in another table, whose name has
	// MetaSuffix appended and whose columns are MetaColumns.
	MetaSuffix  = "_kvmeta"
	MetaColumns = "id " + RowMetaColumns
	// UpgradeSuffix is appended to the name of a table of layout 1 for the table of layout 2 into
	// which its rows are copied, before that takes its name.
	UpgradeSuffix = "_kvlayout2"
)

var reservedSuffixes = [...]string{MetaSuffix, ForeignSuffix, UpgradeSuffix}

// CheckTable refuses names that are no plain identifier or that belong to something else in the
// file.
func CheckTable(name string) error {
	bad := func(why string) error { return fmt.Errorf("table name %q %s: %w", name, why, engine.ErrInvalid) }
	if name == "" || len(name) > 128 {
		return bad("must have 1 to 128 characters")
	}
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if digit := '0' <= c && c <= '9'; !letter && (!digit || i == 0) {
			return bad("may hold letters, digits and underscores only, and not start with a digit")
		}
	}
	lower := strings.ToLower(name)
	for _, suffix := range reservedSuffixes {
		if strings.HasPrefix(lower+suffix, "sqlite_") {
			return bad("is reserved by SQLite")
		}
		if strings.HasSuffix(lower, suffix) {
			return bad("ends in " + suffix + ", which is reserved for tables of the vault itself")
		}
	}
	for _, r := range ReservedTables {
		if lower == r {
			return bad("is a table of the vault itself")
		}
	}
	return nil
}

// CheckVersion refuses the version of a layout that is newer than Version.
func CheckVersion(version string) error {
	if n, err := strconv.Atoi(version); err != nil || n > Version {
		return fmt.Errorf("layout version %q is newer than %d, the newest known here; use a later kvault: %w", version, Version, engine.ErrUnsupported)
	}
	return nil
}
