package walvfs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

// Place is the file of a database as it was when the first of its connections was opened. All
// connections of a store share one, and are of that file only. Nothing is checked where the system
// does not tell files apart, as on Windows, which lets no process rename or remove an open file. It
// is safe for concurrent use, and a nil Place checks nothing.
type Place struct {
	// Names are the paths that must go on leading to the file: its own, where its log lies, and the
	// link by which it was opened.
	Names []string

	mu    sync.Mutex
	file  FileID // zero if it cannot be told
	known bool
	seen  fingerprint
	// overwritten stays once it is found: the next checkpoint would hide the signs.
	overwritten error
}

// OpenFiles are the files that a connection has open.
type OpenFiles interface {
	// Main is the file of the database.
	Main() vfs.File
	// Log is the write-ahead log, or nil if none is open.
	Log() *Log
	// IndexNamed says whether the shared memory of the log still has a name, as far as that can be
	// told.
	IndexNamed() bool
	// Backfill returns how far checkpoints have come, or false if that cannot be told.
	Backfill() (Backfill, bool)
}

// Backfill is how far checkpoints have come with a log: which log it is, how many of its frames the
// database file holds, and how many it is to hold once the checkpoint that runs, or ran last, has
// ended.
type Backfill struct {
	Salts           [2]uint32
	Done, Attempted uint32
}

// underWay says that a checkpoint may be writing the database file. SQLite notes what it attempts
// before that, and what it did afterwards.
func (b Backfill) underWay() bool { return b.Done != b.Attempted }

// FileID tells files of the system apart.
type FileID struct{ device, inode uint64 }

// FileState is what the system tells of a file.
type FileState struct {
	ID    FileID
	Links uint64 // the number of its names
	size  int64
	// changed is when the file's bytes, or its names, last changed, as far as the system's clock
	// tells.
	changed [2]int64
}

// fingerprint is what changes in the database file when another program writes to it past SQLite.
// SQLite leaves it as it is until the next checkpoint begins.
type fingerprint struct {
	known    bool
	backfill Backfill
	state    FileState
	header   [100]byte // https://sqlite.org/fileformat2.html#the_database_header
}

// Join notes which database file a new connection has, or refuses it if that is not the one that
// the others have.
func (p *Place) Join(main vfs.File) error {
	if p == nil {
		return nil
	}
	state, ok := StateOf(main)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		p.file, p.known = state.ID, true
	}
	if p.file != state.ID {
		return moved("another file has taken the place of %s", p.Names[0])
	}
	return nil
}

// Explain turns the error of a connection that could not be opened into one of the fault Moved if
// the file that the others have lost its name.
func (p *Place) Explain(err error) error {
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
	return &Error{Moved, fmt.Errorf(format, args...)}
}

// named returns the state of the database's file, and an error of the fault Moved, or Linked, if
// the names of the database no longer lead to the file that the connection has open, or its log or
// the log's shared memory lost theirs: what is committed then is not found when the database is
// opened next.
func (p *Place) named(files OpenFiles) (state FileState, err error) {
	for _, name := range p.Names {
		state, err = stateAt(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return state, moved("%s was renamed or removed", name)
		case err != nil:
			return state, &Error{IO, err}
		case state.ID != p.file:
			return state, moved("another file has taken the place of %s", name)
		case state.Links > 1:
			return state, &Error{Linked, fmt.Errorf("%s was given a second name", name)}
		}
	}
	if log := files.Log(); log != nil {
		if of, ok := StateOf(log.File); ok && of.Links == 0 {
			return state, moved("%s was removed or replaced", log.path)
		}
	}
	if !files.IndexNamed() {
		return state, moved("%s-shm was removed or replaced", p.Names[0])
	}
	return state, nil
}

// Check returns an error if the files of a connection are not in their place, or of the fault
// Overwritten if another program has written to the database file, or cut it off, past SQLite. That
// can be told as long as no checkpoint has begun since, from the file's length and its header.
func (p *Place) Check(files OpenFiles) error {
	if p == nil || !p.known {
		return nil
	}
	state, err := p.named(files)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.overwritten == nil {
		p.overwritten, err = p.compare(files, state)
	}
	return cmp.Or(p.overwritten, err)
}

// compare compares the database file with what it was. The caller holds the lock.
func (p *Place) compare(files OpenFiles, state FileState) (overwritten, err error) {
	before := p.seen
	backfill, ok := files.Backfill()
	if !ok || backfill.underWay() ||
		before.known && before.backfill == backfill && before.state == state {
		return nil, nil
	}
	now := fingerprint{known: true, backfill: backfill}
	if _, err := files.Main().ReadAt(now.header[:], 0); err != nil && err != io.EOF {
		return nil, &Error{IO, err}
	}
	// The caller's state may be older than a checkpoint that has ended since.
	if now.state, err = stateAt(p.Names[0]); err != nil {
		return nil, &Error{IO, err}
	}
	if after, _ := files.Backfill(); after != backfill {
		return nil, nil
	}
	switch was, is := before.state.size, now.state.size; {
	case !before.known || before.backfill != backfill:
	case was != is:
		err = fmt.Errorf("%s was overwritten or cut off by another program: it has %d bytes, and had %d",
			p.Names[0], is, was)
	case before.header != now.header:
		err = fmt.Errorf("%s was overwritten by another program: it has another header", p.Names[0])
	}
	if err != nil {
		return &Error{Overwritten, err}, nil
	}
	p.seen = now
	return nil, nil
}

// Note notes what the database file is like after a commit, which may have begun the log anew, or a
// checkpoint. The next Check meets what fails here.
func (p *Place) Note(files OpenFiles) {
	if p == nil {
		return
	}
	if backfill, ok := files.Backfill(); !ok || backfill.underWay() || p.noted(backfill) {
		return
	}
	_ = p.Check(files)
}

func (p *Place) noted(backfill Backfill) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.known && p.seen.backfill == backfill
}
