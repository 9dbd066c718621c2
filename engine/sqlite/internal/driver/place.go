package driver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Place is the file of a database as it was when the first of its connections was opened. All connections of a store share one, and are of
// that file only. Where files cannot be told apart nothing is checked: Windows lets nobody rename or remove an open file.
type Place struct {
	// Names are the paths that must go on leading to the file: its own, where its log lies, and the link by which it was opened.
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
}

// restSign tells a database file from itself after somebody wrote to it past SQLite. While no checkpoint begins, nothing else changes it.
type restSign struct {
	known  bool
	copied copiedState
	size   int64
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

// InPlace returns an error of the kind Moved, or Linked, if the names of the database no longer lead to the file that the connection has open, or
// those of its log and of the log's shared memory not to theirs: what is committed then is not found by those who open the database next.
func (c *Conn) InPlace() error {
	p := c.place
	if p == nil || !p.known {
		return nil
	}
	for _, name := range p.Names {
		state, err := stateAt(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return moved("%s was renamed or removed", name)
		case err != nil:
			return &Error{Kind: IO, err: err}
		case state.id != p.file:
			return moved("another file has taken the place of %s", name)
		case state.links > 1:
			return &Error{Kind: Linked, err: fmt.Errorf("%s was given a second name", name)}
		}
	}
	if log := c.log(); log != nil {
		if err := sameFile(log.path, log.id); err != nil {
			return err
		}
	}
	if _, ok := c.latest(); ok {
		return sameFile(p.Names[0]+"-shm", c.hold.index.file)
	}
	return nil
}

// sameFile returns an error if another file, or none, has the name of one that is open.
func sameFile(path string, open fileID) error {
	if open == (fileID{}) {
		return nil
	}
	state, err := stateAt(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && state.id != open:
		return moved("%s was removed or replaced", path)
	case err != nil:
		return &Error{Kind: IO, err: err}
	}
	return nil
}

// Unwritten returns an error of the kind Overwritten if another program has written to the database file, or cut it off, past SQLite. It can be
// told as long as no checkpoint has begun since, from the file's length and from its header.
func (c *Conn) Unwritten() error {
	p := c.place
	if p == nil || !p.known {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.overwritten != nil {
		return p.overwritten
	}
	if _, ok := c.latest(); !ok {
		return nil
	}
	now := restSign{known: true, copied: c.hold.index.copying()}
	if now.copied.underWay() {
		return nil
	}
	state, ok := stateOf(c.mainFile())
	if _, err := c.mainFile().ReadAt(now.header[:], 0); err != nil && err != io.EOF {
		return &Error{Kind: IO, err: err}
	}
	if !ok || c.hold.index.copying() != now.copied {
		return nil
	}
	now.size = state.size
	if !p.rest.known || p.rest.copied != now.copied {
		p.rest = now
	}
	if before := p.rest; before.size != now.size {
		p.overwritten = fmt.Errorf("%s was overwritten or cut off by another program: it has %d bytes, and had %d", p.Names[0], now.size, before.size)
	} else if !bytes.Equal(before.header[:], now.header[:]) {
		p.overwritten = fmt.Errorf("%s was overwritten by another program: it has another header", p.Names[0])
	}
	if p.overwritten != nil {
		p.overwritten = &Error{Kind: Overwritten, err: p.overwritten}
	}
	return p.overwritten
}

// noteRest notes what the file is like after a commit, which may have begun the log anew, or a checkpoint. What fails here is met at the next commit.
func (c *Conn) noteRest() {
	if p := c.place; p == nil || c.hold.index == nil {
		return
	} else if copied := c.hold.index.copying(); copied.underWay() || p.noted(copied) {
		return
	}
	_ = c.Unwritten()
}

func (p *Place) noted(copied copiedState) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest.known && p.rest.copied == copied
}

// Whole returns the error of InPlace or Unwritten.
func (c *Conn) Whole() error {
	if err := c.InPlace(); err != nil {
		return err
	}
	return c.Unwritten()
}
