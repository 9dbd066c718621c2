package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
)

const (
	// progressDelay is how long a command runs before it shows a bar: short ones need none.
	progressDelay = 400 * time.Millisecond
	// lineInterval is how far apart the lines are that --progress=plain prints.
	lineInterval = 5 * time.Second
)

// The values of --progress. Without one it is a bar on a terminal, and nothing elsewhere.
const (
	progressPlain = "plain"
	progressBar   = "bar"
	progressNone  = "none"
)

// progress shows on standard error how far a command has come. A nil progress shows nothing.
type progress struct {
	a           *app
	what        string
	unit        progressUnit
	done, total int64
	started     time.Time
	shown       *progressbar.ProgressBar // nil until there is one, and with --progress=plain
	plain       bool
	line        time.Time // when the last one was printed
}

type progressUnit int

const (
	inBytes progressUnit = iota
	inKeys
)

// progressForm is how progress is shown. Nothing is with --quiet and --json.
func (a *app) progressForm() string {
	switch {
	case a.flags.quiet || a.flags.json:
		return progressNone
	case a.flags.progress.value != "":
		return a.flags.progress.value
	case a.terminal(a.sys.Err):
		return progressBar
	}
	return progressNone
}

// startProgress begins to show progress; a total below 0 is not known. It returns nil if none is to
// be shown.
func (a *app) startProgress(what string, unit progressUnit, total int64) *progress {
	form := a.progressForm()
	if form == progressNone {
		return nil
	}
	now := time.Now()
	p := &progress{a: a, what: what, unit: unit, total: total, started: now, line: now}
	p.plain = form == progressPlain
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress = p
	return p
}

// add counts n more as done.
func (p *progress) add(n int64) {
	if p == nil {
		return
	}
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.done += n
	p.draw()
}

// set says how much is done of how much.
func (p *progress) set(done, total int64) {
	if p == nil {
		return
	}
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.done, p.total = done, total
	p.draw()
}

// finish takes the bar away.
func (p *progress) finish() {
	if p == nil {
		return
	}
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.clear()
	p.a.progress = nil
}

// clear removes the bar from the screen until it is next drawn. The caller holds the app's lock.
func (p *progress) clear() {
	if p != nil && p.shown != nil {
		_ = p.shown.Clear()
	}
}

func (p *progress) draw() {
	if p.plain {
		p.printLine()
		return
	}
	if p.shown == nil {
		if time.Since(p.started) < progressDelay {
			return
		}
		p.shown = p.create()
	}
	if p.total >= 0 {
		p.grow()
	}
	// A bar that cannot be drawn must not stop the work.
	_ = p.shown.Set64(p.done)
}

// printLine prints how far the command is, if the last time is long ago. The caller holds the app's
// lock.
func (p *progress) printLine() {
	now := time.Now()
	if now.Sub(p.line) < lineInterval {
		return
	}
	p.line = now
	took := now.Sub(p.started)
	amount := func(n int64) string { return humanize.IBytes(uint64(n)) }
	if p.unit == inKeys {
		amount = humanize.Comma
	}
	of := ""
	if p.total > 0 {
		of = fmt.Sprintf(" of %s (%d%%)", amount(p.total), int(100*float64(p.done)/float64(p.total)))
	}
	rate := amount(int64(float64(p.done) / took.Seconds()))
	// A line that cannot be printed must not stop the work.
	fmt.Fprintf(p.a.sys.Err, "%s: %s%s, %s/s, %s\n", p.what, amount(p.done), of, rate, inWords(took))
}

// inWords is a duration in the precision that people want.
func inWords(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// grow keeps the end ahead of what is done: a bar that reached its end would never be drawn again.
func (p *progress) grow() {
	if end := max(p.total, p.done+1); end != p.shown.GetMax64() {
		p.shown.ChangeMax64(end)
	}
}

func (p *progress) create() *progressbar.ProgressBar {
	end := int64(-1)
	if p.total >= 0 {
		end = max(p.total, p.done+1)
	}
	// What there is no room for is left out, since a line that is longer than the terminal is wide
	// cannot be drawn again.
	columns := p.a.columns()
	width := columns - 50
	switch {
	case p.total < 0: // no bar, but a spinner
		width = 24
	case columns >= 80:
		width = columns - 62
	case columns < 50:
		width = columns - 30
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(&lineTruncator{w: p.a.sys.Err, columns: p.a.columns}),
		progressbar.OptionSetDescription(p.what),
		progressbar.OptionShowBytes(p.unit == inBytes),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionShowTotalBytes(p.total >= 0),
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

// lineTruncator cuts each line off before the last column of the terminal, whose width may change.
// Escape sequences take no room.
type lineTruncator struct {
	w       io.Writer
	columns func() int
	at      int
	escape  bool
}

func (o *lineTruncator) Write(p []byte) (int, error) {
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
func (p *progress) reader(r io.Reader) io.Reader {
	if p == nil {
		return r
	}
	return &countedReader{r, p}
}

// writer counts what is written through it.
func (p *progress) writer(w io.Writer) io.Writer {
	if p == nil {
		return w
	}
	return &countedWriter{w, p}
}

type countedReader struct {
	r io.Reader
	p *progress
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.p.add(int64(n))
	return n, err
}

type countedWriter struct {
	w io.Writer
	p *progress
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.p.add(int64(n))
	return n, err
}
