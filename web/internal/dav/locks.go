package dav

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"golang.org/x/net/webdav"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

const (
	// longestLock is how long a lock lasts unless it is refreshed.
	longestLock = time.Hour
	// maxLocks bounds the memory of all locks, in bytes.
	maxLocks = 8 << 20
	// maxOwner is what a client may say of itself, in bytes: a listing repeats it for each file below.
	maxOwner = 4 << 10
	// lockSize is about what a lock takes besides its name and its owner.
	lockSize = 512
)

// locks are the locks of a server: exclusive ones for writing. It is a webdav.LockSystem whose
// memory is bounded, and whose tokens cannot be guessed. It is safe for concurrent use.
type locks struct {
	// commits is held for reading from the moment that a change has found no foreign lock until it
	// is in the vault, and for writing while a lock is made. So a lock that a client got binds all
	// that is stored later.
	commits sync.RWMutex

	mu      sync.Mutex // guards what follows
	byName  map[string]*lock
	byToken map[string]*lock
	size    int
}

type lock struct {
	webdav.LockDetails
	name    string // of the root of what it locks
	token   string
	expires time.Time
}

func newLocks() *locks {
	return &locks{byName: map[string]*lock{}, byToken: map[string]*lock{}}
}

// claim is a name that a request is about to change.
type claim struct {
	name string
	deep bool // and all that is below
}

// check returns an error if a lock whose token is not among tokens protects a claim.
func (l *locks) check(tokens map[string]bool, claims ...claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, c := range claims {
		if k := l.on(now, c.name); k != nil && !tokens[k.token] {
			return errLocked
		}
		if c.deep && l.below(now, c.name, tokens) {
			return errLocked
		}
	}
	return nil
}

var errLocked = &wire.Error{Status: http.StatusLocked, Text: "another client holds a lock on it"}

// on returns the lock that protects name, or nil.
func (l *locks) on(now time.Time, name string) *lock {
	for at := name; ; at = path.Dir(at) {
		if k := l.byName[at]; k != nil && now.Before(k.expires) && (at == name || !k.ZeroDepth) {
			return k
		}
		if at == "." {
			return nil
		}
	}
}

// below reports whether there are locks in the folder name other than those with the tokens.
func (l *locks) below(now time.Time, name string, tokens map[string]bool) bool {
	for _, k := range l.byName {
		if now.Before(k.expires) && !tokens[k.token] && within(k.name, name) && k.name != name {
			return true
		}
	}
	return false
}

// Create makes a lock whose root is the path of a URL.
func (l *locks) Create(now time.Time, d webdav.LockDetails) (string, error) {
	u, err := url.Parse(d.Root)
	if err != nil {
		return "", err
	}
	name, _, err := nameOf(u)
	if err != nil {
		return "", err
	}
	if len(d.OwnerXML) > maxOwner {
		return "", &wire.Error{Status: http.StatusBadRequest, Text: "the owner of the lock is too long"}
	}
	size := lockSize + len(d.Root) + len(name) + len(d.OwnerXML)
	l.commits.Lock()
	defer l.commits.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+size > maxLocks {
		l.expire(now)
	}
	switch {
	case l.on(now, name) != nil, !d.ZeroDepth && l.below(now, name, nil):
		return "", errLocked
	case l.size+size > maxLocks:
		return "", &wire.Error{Status: http.StatusInsufficientStorage, Text: "there are too many locks"}
	}
	if old := l.byName[name]; old != nil { // expired
		l.remove(old)
	}
	k := &lock{d, name, "opaquelocktoken:" + rand.Text(), now.Add(d.Duration)}
	l.byName[name], l.byToken[k.token] = k, k
	l.size += size
	return k.token, nil
}

func (l *locks) expire(now time.Time) {
	for _, k := range l.byToken {
		if !now.Before(k.expires) {
			l.remove(k)
		}
	}
}

func (l *locks) remove(k *lock) {
	delete(l.byName, k.name)
	delete(l.byToken, k.token)
	l.size -= lockSize + len(k.Root) + len(k.name) + len(k.OwnerXML)
}

// Refresh has a lock last for d from now on.
func (l *locks) Refresh(now time.Time, token string, d time.Duration) (webdav.LockDetails, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.byToken[token]
	if k == nil || !now.Before(k.expires) {
		return webdav.LockDetails{}, webdav.ErrNoSuchLock
	}
	k.Duration, k.expires = d, now.Add(d)
	return k.LockDetails, nil
}

// Unlock removes a lock.
func (l *locks) Unlock(_ time.Time, token string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.byToken[token]
	if k == nil {
		return webdav.ErrNoSuchLock
	}
	l.remove(k)
	return nil
}

// Confirm is not called: see conditions.
func (l *locks) Confirm(time.Time, string, string, ...webdav.Condition) (func(), error) {
	return nil, webdav.ErrConfirmationFailed
}

// forget removes the locks of name and of all that was below it, as it is gone.
func (l *locks) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.byToken {
		if within(k.name, name) {
			l.remove(k)
		}
	}
}

// holds reports whether token is that of a lock that protects name.
func (l *locks) holds(token, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.on(time.Now(), name)
	return k != nil && k.token == token
}

// discover returns a copy of the lock that protects name.
func (l *locks) discover(name string) (lock, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.on(time.Now(), name); k != nil {
		return *k, true
	}
	return lock{}, false
}
