package driver

// DataVersion stands for the contents of a database: every commit, of any process, changes the
// latest before anybody can see what it wrote.
type DataVersion struct {
	state walState
	file  fileID
}

// SameFile says that both are of one database.
func (v DataVersion) SameFile(other DataVersion) bool { return v.file == other.file }
