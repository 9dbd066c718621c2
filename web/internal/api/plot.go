package api

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"net/http"
	"strconv"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/describe"
)

const (
	defaultPoints = 800
	mostPoints    = 10_000
	pointsABucket = 4
)

// plotAnswer is a line through elements of a column.
type plotAnswer struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Length int64  `json:"length"`
	// From is the first element of the range, and To the one behind the last.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Bucket is how many elements are drawn as one: 1 if each is.
	Bucket int64 `json:"bucket"`
	// Sampled says that of each bucket only the first Read elements were read.
	Sampled bool  `json:"sampled,omitempty"`
	Read    int64 `json:"read,omitempty"`
	// Gaps counts the elements that were read and have no place: nulls, NaN and infinities.
	Gaps int64 `json:"gaps,omitempty"`
	// X are the numbers of elements, and Y the elements, with null for gaps.
	X []int64 `json:"x"`
	Y []any   `json:"y"`
}

// plot answers with a line through the elements of a column of numbers.
func (h *handler) plot(a *reply, r *http.Request, name string, p *parameters) error {
	points := p.number("points", defaultPoints, pointsABucket, mostPoints)
	from := p.number("from", 0, math.MinInt64, math.MaxInt64)
	to := p.number("to", math.MaxInt64, math.MinInt64, math.MaxInt64)
	if p.err != nil {
		return p.err
	}
	return h.whole(a, r, name, func(ctx context.Context) (answer any, err error) {
		err = column.View(ctx, h.v, func(tx *kvault.Tx) error {
			c, err := column.OpenAny(ctx, tx, name)
			if err != nil {
				return err
			}
			n, err := c.Len(ctx)
			if err != nil {
				return err
			}
			l := &line{plotAnswer: plotAnswer{
				Name: name, Type: c.Type(), Length: n, From: bound(from, n), To: bound(to, n),
				X: []int64{}, Y: []any{},
			}}
			answer = &l.plotAnswer
			l.divide(points, h.limits.Plotted)
			return l.draw(ctx, c)
		})
		return answer, err
	})
}

// bound is the element with that number, counted from the end if it is negative, or the nearest.
func bound(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

// line draws elements.
type line struct {
	plotAnswer
	read int64 // of each bucket
}

// divide divides the range into buckets, so that there are no more than that many points, and
// bounds how many elements are read.
func (l *line) divide(points, most int64) {
	l.To = max(l.From, l.To)
	length := l.To - l.From
	if l.Bucket = 1; length > points {
		buckets := points / pointsABucket
		l.Bucket = (length + buckets - 1) / buckets
	}
	if l.read = l.Bucket; length > most {
		buckets := (length + l.Bucket - 1) / l.Bucket
		l.read = max(1, most/buckets)
		l.Sampled, l.Read = true, l.read
	}
}

// columnOf is what a plot needs of a column.
type columnOf[T any] interface {
	BlocksOf(ctx context.Context, from, to int64) iter.Seq2[[]T, error]
}

func (l *line) draw(ctx context.Context, c column.Dynamic) error {
	switch c := c.(type) {
	case columnOf[int64]:
		return draw(ctx, l, c, func(x int64) (int64, bool) { return x, true })
	case columnOf[column.Null[int64]]:
		return draw(ctx, l, c, func(x column.Null[int64]) (int64, bool) { return x.V, x.Valid })
	case columnOf[float64]:
		return draw(ctx, l, c, finite)
	case columnOf[column.Null[float64]]:
		return draw(ctx, l, c, func(x column.Null[float64]) (float64, bool) {
			y, drawn := finite(x.V)
			return y, drawn && x.Valid
		})
	}
	return badRequest("only columns of numbers are plotted, and this one is of type %s", c.Type())
}

func finite(x float64) (float64, bool) { return x, x-x == 0 }

// draw adds the points of each bucket.
func draw[T any, N int64 | float64](
	ctx context.Context, l *line, c columnOf[T], number func(T) (N, bool),
) error {
	step := max(1, l.To-l.From) // at one go, unless only a part of each bucket is read
	if l.Sampled {
		step = l.Bucket
	}
	for from := l.From; from < l.To; from += step {
		b := newBucket[N](l, from)
		for block, err := range c.BlocksOf(ctx, from, min(from+step-l.Bucket+l.read, l.To)) {
			if err != nil {
				return err
			}
			for len(block) > 0 {
				n := min(int64(len(block)), b.end-b.at)
				for _, x := range block[:n] {
					b.add(number(x))
				}
				if block = block[n:]; b.at == b.end {
					b.points(l)
					b = newBucket[N](l, b.end)
				}
			}
		}
	}
	return nil
}

// bucket is what becomes of the elements of one.
type bucket[N int64 | float64] struct {
	at, end               int64 // the numbers of the next element, and of the one behind the last
	some, gap             bool  // gap says that the last one has no place
	gaps                  int64
	first, last, low, top point[N]
}

func newBucket[N int64 | float64](l *line, from int64) bucket[N] {
	return bucket[N]{at: from, end: min(from+l.read, l.To)}
}

type point[N any] struct {
	x int64
	y N
}

func (b *bucket[N]) add(y N, drawn bool) {
	p := point[N]{b.at, y}
	b.at++
	if b.gap = !drawn; b.gap {
		b.gaps++
		return
	}
	if !b.some {
		b.some, b.first, b.low, b.top = true, p, p, p
	}
	if b.last = p; y < b.low.y {
		b.low = p
	} else if y > b.top.y {
		b.top = p
	}
}

// points adds the first, the smallest, the largest and the last to a line, in their order. A gap at
// the end takes the place of the last: gaps show where they reach from one bucket to the next.
func (b *bucket[N]) points(l *line) {
	l.Gaps += b.gaps
	list := []point[N]{b.first, b.low, b.top, b.last}
	if b.low.x > b.top.x {
		list[1], list[2] = list[2], list[1]
	}
	if b.gap {
		list = list[:3]
	}
	for previous := int64(-1); b.some && len(list) > 0; list = list[1:] {
		if p := list[0]; p.x > previous {
			l.X, l.Y = append(l.X, p.x), append(l.Y, shown(p.y))
			previous = p.x
		}
	}
	if b.gap {
		l.X, l.Y = append(l.X, b.at-1), append(l.Y, nil)
	}
}

// shown is a number for JSON, exact.
func shown[N int64 | float64](y N) any {
	if f, ok := any(y).(float64); ok {
		return describe.Real(f)
	}
	return json.Number(strconv.FormatInt(int64(y), 10))
}
