package driver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Place is the file of a database as it was when the first of its connections was opened. All
// connections of a store share one, and are of that file only. Nothing is checked where the system
// does not tell files apart, as on Windows, which lets no process rename or remove an open file.
type Place struct {
	// Names are the paths that must go on leading to the file: its own, where its log lies, and the
	// link by which it was opened.
	Names []string

	mu    sync.Mutex
	file  fileID // zero if it cannot be told
	known bool
	rest  restSign
	// overwritten stays once it is found: the next checkpoint would hide the signs.
	overwritten error
}

// fileState is what the system tells of a file.
type fileState struct {
	id    fileID
	links uint64
	size  int64
	// changed is when the file's bytes, or its names, last changed, as far as the system's clock tells.
	changed [2]int64
}

// restSign is what another program changes that writes to the database file past SQLite. Until the
// next checkpoint begins, SQLite leaves it as it is.
type restSign struct {
	known  bool
	copied copiedState
	state  fileState
	header [100]byte // https://sqlite.org/fileformat2.html#the_database_header
}

// join notes which file a new connection has, or refuses it if that is not the one that the others have.
func (p *Place) join(c *Conn) error {
	if p == nil {
		return nil
	}
	state, ok := stateOf(c.mainFile())
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		p.file, p.known = state.id, true
	}
	if p.file != state.id {
		return moved("another file has taken the place of %s", p.Names[0])
	}
	return nil
}

// gone says that a connection could not be opened because the file that others have lost its name.
func (p *Place) gone(err error) error {
	if p == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		return err
	}
	return moved("%s was renamed or removed", p.Names[0])
}

func moved(format string, args ...any) error {
	return &Error{Kind: Moved, err: fmt.Errorf(format, args...)}
}

// inPlace returns the state of the database's file, and an error of the kind Moved, or Linked, if
// the names of the database no longer lead to the file that the connection has open, or its log or
// the log's shared memory lost theirs: what is committed then is not found when the database is
// opened next.
func (c *Conn) inPlace() (state fileState, err error) {
	p := c.place
	for _, name := range p.Names {
		state, err = stateAt(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return state, moved("%s was renamed or removed", name)
		case err != nil:
			return state, &Error{Kind: IO, err: err}
		case state.id != p.file:
			return state, moved("another file has taken the place of %s", name)
		case state.links > 1:
			return state, &Error{Kind: Linked, err: fmt.Errorf("%s was given a second name", name)}
		}
	}
	if log := c.log(); log != nil {
		if of, ok := stateOf(log.File); ok && of.links == 0 {
			return state, moved("%s was removed or replaced", log.path)
		}
	}
	if _, ok := c.latest(); ok && !c.hold.index.named() {
		return state, moved("%s-shm was removed or replaced", p.Names[0])
	}
	return state, nil
}

// Whole returns an error if the database is not in its place, or of the kind Overwritten if another
// program has written to its file, or cut it off, past SQLite. That can be told as long as no
// checkpoint has begun since, from the file's length and its header.
func (c *Conn) Whole() error {
	p := c.place
	if p == nil || !p.known {
		return nil
	}
	state, err := c.inPlace()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.overwritten == nil {
		p.overwritten, err = c.compareRest(state)
	}
	return cmp.Or(p.overwritten, err)
}

// compareRest compares the file with what it was at rest. The caller holds the lock of the place.
func (c *Conn) compareRest(state fileState) (overwritten, err error) {
	if _, ok := c.latest(); !ok {
		return nil, nil
	}
	p, copied := c.place, c.hold.index.copying()
	if copied.underWay() || p.rest.known && p.rest.copied == copied && p.rest.state == state {
		return nil, nil
	}
	now := restSign{known: true, copied: copied}
	if _, err := c.mainFile().ReadAt(now.header[:], 0); err != nil && err != io.EOF {
		return nil, &Error{Kind: IO, err: err}
	}
	if now.state, err = stateAt(p.Names[0]); err != nil { // again: the first look may have been before a checkpoint
		return nil, &Error{Kind: IO, err: err}
	}
	if c.hold.index.copying() != copied {
		return nil, nil
	}
	before := p.rest
	switch {
	case !before.known || before.copied != copied:
	case before.state.size != now.state.size:
		err = fmt.Errorf("%s was overwritten or cut off by another program: it has %d bytes, and had %d", p.Names[0], now.state.size, before.state.size)
	case before.header != now.header:
		err = fmt.Errorf("%s was overwritten by another program: it has another header", p.Names[0])
	}
	if err != nil {
		return &Error{Kind: Overwritten, err: err}, nil
	}
	p.rest = now
	return nil, nil
}

// noteRest notes what the file is like after a commit, which may have begun the log anew, or a
// checkpoint. What fails here is met at the next commit.
func (c *Conn) noteRest() {
	if p := c.place; p == nil || c.hold.index == nil {
		return
	} else if copied := c.hold.index.copying(); copied.underWay() || p.noted(copied) {
		return
	}
	_ = c.Whole()
}

func (p *Place) noted(copied copiedState) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest.known && p.rest.copied == copied
}
