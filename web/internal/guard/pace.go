package guard

import (
	"sync"
	"time"
)

// window is the number of bytes that a client must take or send within the limit of a pace. It is
// also the size of the pieces of a write: the least rate is then the same for each section,
// whatever it writes at once.
const window = 64 << 10

// pace limits how long a client may keep the server waiting: for limit without any progress, and
// for limit in all while window bytes pass, so that one byte now and then does not hold a request
// open. Only the time inside reads and writes counts. What the vault takes is not the client's.
type pace struct {
	limit time.Duration // 0: none
	left  time.Duration // of limit
	moved int           // bytes, of window
	set   func(deadline time.Time) error
	// timer says that a deadline ends the stream when it has passed, even if nothing waits, as in
	// HTTP/2. It is then set for each read and write alone. In HTTP/1 it stays, and moves only when
	// it is off by an eighth: to move it costs as much as a small write.
	timer bool

	mu       sync.Mutex
	deadline time.Time // that is set now, or zero
}

// begin starts to count.
func (p *pace) begin() time.Time {
	if p.limit == 0 {
		return time.Time{}
	}
	now := time.Now()
	p.extend(now, p.left)
	return now
}

// end counts the time since begin, in which n bytes have passed.
func (p *pace) end(start time.Time, n int) {
	if p.limit == 0 {
		return
	}
	if p.timer {
		p.lift()
	}
	p.left -= time.Since(start)
	if p.moved += n; p.moved >= window {
		p.left, p.moved = p.limit, 0
	}
}

// extend sets the deadline to d from now, without counting the time. A ResponseWriter that knows no
// deadlines has none.
func (p *pace) extend(now time.Time, d time.Duration) {
	if p.limit == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if to := now.Add(d); p.deadline.IsZero() || to.Sub(p.deadline).Abs() > p.limit/8 {
		p.deadline = to
		_ = p.set(to)
	}
}

// expire sets a deadline that has passed. net/http would otherwise wait for the rest of a body that
// broke off before it sends the answer, and again after it.
func (p *pace) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit != 0 {
		p.deadline = time.Now()
		_ = p.set(p.deadline)
	}
}

// lift takes the deadline away.
func (p *pace) lift() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.deadline.IsZero() {
		p.deadline = time.Time{}
		_ = p.set(time.Time{})
	}
}
