package rawfile

// Marks are a set of rows of one table: a bit for each row of the table, whatever the row ids.
type Marks struct {
	bits    bitset
	n, rows uint64
}

// Marks returns an empty set of rows of t. All pages of t are to be found before.
func (t *Table) Marks() *Marks {
	m := &Marks{}
	if n := len(t.leaves); n > 0 {
		m.rows = t.leaves[n-1].before + uint64(t.leaves[n-1].rows)
	}
	m.bits = newBitset(m.rows)
	return m
}

// Add marks a row that Rows or Find of the table returned.
func (m *Marks) Add(r *Record) {
	if !m.Has(r) {
		m.bits.add(r.place)
		m.n++
	}
}

// Has says whether a row that Rows or Find of the table returned is marked. One that cannot be read, nil, is not.
func (m *Marks) Has(r *Record) bool { return r != nil && m.bits.has(r.place) }

// All says that every row is marked.
func (m *Marks) All() bool { return m.n == m.rows }
