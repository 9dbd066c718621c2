package cli

import (
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// barDelay is how long a command runs before it shows a bar: short ones need none.
const barDelay = 400 * time.Millisecond

// bar shows on standard error how far a command has come. A nil bar shows nothing.
type bar struct {
	a           *app
	what        string
	unit        barUnit
	done, total int64
	started     time.Time
	shown       *progressbar.ProgressBar
}

type barUnit int

const (
	inBytes barUnit = iota
	inKeys
)

// startBar begins a bar; a total below 0 is not known. It returns nil where nobody would see the
// bar.
func (a *app) startBar(what string, unit barUnit, total int64) *bar {
	if a.flags.quiet || a.flags.json || !a.terminal(a.sys.Err) {
		return nil
	}
	b := &bar{a: a, what: what, unit: unit, total: total, started: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bar = b
	return b
}

// add counts n more as done.
func (b *bar) add(n int64) {
	if b == nil {
		return
	}
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	b.done += n
	b.draw()
}

// set says how much is done of how much.
func (b *bar) set(done, total int64) {
	if b == nil {
		return
	}
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	b.done, b.total = done, total
	b.draw()
}

// finish takes the bar away.
func (b *bar) finish() {
	if b == nil {
		return
	}
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	b.clear()
	b.a.bar = nil
}

// clear removes the bar from the screen until it is next drawn. The caller holds the app's lock.
func (b *bar) clear() {
	if b != nil && b.shown != nil {
		_ = b.shown.Clear()
	}
}

func (b *bar) draw() {
	if b.shown == nil {
		if time.Since(b.started) < barDelay {
			return
		}
		b.shown = b.create()
	}
	if b.total >= 0 {
		b.grow()
	}
	// A bar that cannot be drawn must not stop the work.
	_ = b.shown.Set64(b.done)
}

// grow keeps the end ahead of what is done: a bar that reached its end would never be drawn again.
func (b *bar) grow() {
	if end := max(b.total, b.done+1); end != b.shown.GetMax64() {
		b.shown.ChangeMax64(end)
	}
}

func (b *bar) create() *progressbar.ProgressBar {
	end := int64(-1)
	if b.total >= 0 {
		end = max(b.total, b.done+1)
	}
	// What there is no room for is left out, since a line that is longer than the terminal is wide
	// cannot be drawn again.
	columns := b.a.columns()
	width := columns - 50
	switch {
	case b.total < 0: // no bar, but a spinner
		width = 24
	case columns >= 80:
		width = columns - 62
	case columns < 50:
		width = columns - 30
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(&oneLiner{w: b.a.sys.Err, columns: b.a.columns}),
		progressbar.OptionSetDescription(b.what),
		progressbar.OptionShowBytes(b.unit == inBytes),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionShowTotalBytes(b.total >= 0),
		progressbar.OptionSetWidth(min(max(width, 1), 24)),
		progressbar.OptionSetElapsedTime(columns >= 80),
		progressbar.OptionSetPredictTime(columns >= 80),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine draws it
	}
	if columns >= 50 {
		options = append(options, progressbar.OptionShowCount())
	}
	return progressbar.NewOptions64(end, options...)
}

// columns is how wide the terminal is that shows the bar.
func (a *app) columns() int {
	if a.sys.Columns != nil {
		if n := a.sys.Columns(a.sys.Err); n > 0 {
			return n
		}
	}
	return 80
}

// oneLiner cuts each line off before the last column of the terminal, whose width may change.
// Escape sequences take no room.
type oneLiner struct {
	w       io.Writer
	columns func() int
	at      int
	escape  bool
}

func (o *oneLiner) Write(p []byte) (int, error) {
	var line strings.Builder
	width := o.columns()
	for _, r := range string(p) {
		switch {
		case o.escape:
			o.escape = r == '[' || r < '@' || r > '~'
		case r == '\x1b':
			o.escape = true
		case r == '\r' || r == '\n':
			o.at = 0
		case o.at+1 >= width:
			continue
		default:
			o.at++
		}
		line.WriteRune(r)
	}
	if _, err := io.WriteString(o.w, line.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// reader counts what is read through it.
func (b *bar) reader(r io.Reader) io.Reader {
	if b == nil {
		return r
	}
	return &countedReader{r, b}
}

// writer counts what is written through it.
func (b *bar) writer(w io.Writer) io.Writer {
	if b == nil {
		return w
	}
	return &countedWriter{w, b}
}

type countedReader struct {
	r io.Reader
	b *bar
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.b.add(int64(n))
	return n, err
}

type countedWriter struct {
	w io.Writer
	b *bar
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.b.add(int64(n))
	return n, err
}
