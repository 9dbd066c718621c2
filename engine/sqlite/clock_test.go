package sqlite

import (
	"slices"
	"time"
)

// clock times repeated work.
type clock struct {
	total time.Duration
	each  []time.Duration
	err   error
}

func (c *clock) time(fn func() error) {
	start := time.Now()
	if err := fn(); err != nil && c.err == nil {
		c.err = err
	}
	c.add(time.Since(start))
}

func (c *clock) add(d time.Duration) {
	c.total += d
	c.each = append(c.each, d)
}

func (c *clock) median() float64 {
	s := slices.Sorted(slices.Values(c.each))
	return float64(s[len(s)/2])
}

// usual is the mean without the slowest of a hundred.
func (c *clock) usual() float64 {
	s := slices.Sorted(slices.Values(c.each))
	s = s[:len(s)-len(s)/100]
	total := time.Duration(0)
	for _, d := range s {
		total += d
	}
	return float64(total) / float64(len(s))
}
