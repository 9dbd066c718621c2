package engine

import "fmt"

// Loss is something that a salvage could not copy, or copied with a doubt.
type Loss struct {
	// Table is the table that it belongs to. Key or Column names it if the name could be read.
	Table  string
	Key    string
	Column string
	// Copied reports that it is in the new vault nevertheless. Err then says what is doubtful about
	// it, or missing from it.
	Copied bool
	// Err says what is damaged.
	Err error
}

// String names what was lost, and why.
func (l Loss) String() string {
	state := "lost"
	if l.Copied {
		state = "copied, but"
	}
	switch {
	case l.Key != "":
		return fmt.Sprintf("key %q of table %s: %s: %v", l.Key, l.Table, state, l.Err)
	case l.Column != "":
		return fmt.Sprintf("column %q: %s: %v", l.Column, state, l.Err)
	}
	return fmt.Sprintf("table %s: %s: %v", l.Table, state, l.Err)
}
