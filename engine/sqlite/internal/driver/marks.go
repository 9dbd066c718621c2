package driver

// Mark stands for a state of a database: every commit, of any process, changes the latest before it can be seen.
type Mark struct {
	state walState
	file  fileID
}

// SameFile says that both marks are of one database.
func (m Mark) SameFile(other Mark) bool { return m.file == other.file }
