package kvault

import "sync"

// life counts the calls that are running, so that Close can wait for them and turn new ones away.
type life struct {
	mu      sync.Mutex
	running int
	closed  bool          // or being closed
	done    bool          // closed for good
	idle    chan struct{} // closed when running drops to zero while closed; made by whoever waits
}

// enter begins a call; leave must follow if it returns nil.
func (l *life) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.running++
	return nil
}

func (l *life) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.running == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// shut turns new calls away and waits for the running ones. It reports false if the vault was closed before.
func (l *life) shut() bool {
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return false
	}
	l.closed = true
	var idle chan struct{}
	if l.running > 0 {
		idle = make(chan struct{})
		l.idle = idle
	}
	l.mu.Unlock()
	if idle != nil {
		<-idle
	}
	return true
}

// end settles what shut began: closed for good, or open again.
func (l *life) end(done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.closed = done, done
}
