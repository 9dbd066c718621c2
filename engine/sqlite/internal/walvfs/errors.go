package walvfs

// Fault sorts the errors of this package by what a caller can do about them.
type Fault uint8

// The faults.
const (
	// BadPath is a path that SQLite cannot use.
	BadPath Fault = iota
	// Moved is a database whose files lost their names, or names of theirs to other files.
	Moved
	// Linked is a database that was given a second name.
	Linked
	// Overwritten is a database that another program wrote to past SQLite.
	Overwritten
	// IO is a file that could not be read, or a name that could not be looked up.
	IO
)

// Error is what is wrong with a file of a database.
type Error struct {
	Fault Fault
	err   error
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }
