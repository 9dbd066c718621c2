package engine

// SearchTable is a table of another program for searches in the same file: the store leaves it alone, and knows what follows of it.
type SearchTable struct {
	Name string
	// Module is the SQLite extension that reads it: fts5 for text, vec0 for vectors.
	Module string
	// Columns are those that can be searched.
	Columns []string
	// Element, Dimension and Metric describe vectors: float, int8 or bit; how many of them; cosine, L2, L1, or empty if not said.
	Element   string
	Dimension int64
	Metric    string
	// Rows is how many there are, or -1 if that cannot be told, since a part of the table is missing or damaged.
	Rows int64
}
