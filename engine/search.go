package engine

// SearchTable describes a table for searches that another program has made in the same file. The
// store does not change it.
type SearchTable struct {
	Name string
	// Module is the SQLite extension that the table needs: fts5 for text, vec0 for vectors.
	Module string
	// Columns are the columns that can be searched.
	Columns []string
	// Element, Dimension and Metric describe vectors: their elements (float, int8 or bit), the
	// number of elements, and the distance (cosine, L2, L1, or empty if not stated).
	Element   string
	Dimension int64
	Metric    string
	// Rows is the number of rows, or -1 if a part of the table is missing or damaged.
	Rows int64
}
