package driver

// Mark stands for a state of a database: every commit, of any process, changes the latest before it can be seen.
type Mark struct {
	state walState
	file  fileID
}

// SameFile says that both marks are of one database.
func (m Mark) SameFile(other Mark) bool { return m.file == other.file }

// Marks tells the latest mark. It is safe for concurrent use.
type Marks struct{ index *walIndex }

// OpenMarks returns the marks of the database that c is connected to, or nil if it has none to look at: without a write-ahead log, in
// memory, and, with an error, on systems where the log's shared memory is not a file. They are right for as long as some connection of this
// process is open.
func OpenMarks(c *Conn) (*Marks, error) {
	path := c.c.Filename("main")
	if there, err := c.hasLog(); path == nil || !there || err != nil {
		return nil, err
	}
	index, err := openWALIndex(path.String(), false)
	if err != nil {
		return nil, err
	}
	return &Marks{index}, nil
}

// Latest is the mark of the latest commit, unless it cannot be told at this moment.
func (m *Marks) Latest() (Mark, bool) {
	state, ok := m.index.state()
	return Mark{state, m.index.file}, ok
}

// Close releases the marks.
func (m *Marks) Close() error { return m.index.close() }
