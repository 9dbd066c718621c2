package load

import (
	"fmt"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// blockElements is how many elements are appended at once when Batch does not say otherwise: as
// many as the pool has.
const blockElements = contract.PoolBytes / 8

func (r *run) columns() (Columns, error) {
	if c, ok := r.store.(Columns); ok {
		return c, nil
	}
	return nil, fmt.Errorf("columns: %w", ErrUnsupported)
}

// elements are the first of the column, as many as the pool has; they repeat.
func (r *run) elements() []int64 {
	x := make([]int64, blockElements)
	for i := range x {
		x[i] = r.Element(int64(i))
	}
	return x
}

// extend appends Ops elements, Batch at a time.
func (r *run) extend() error {
	c, err := r.columns()
	if err != nil {
		return err
	}
	x := r.elements()
	err = r.measure(func() error {
		for at := int64(0); at < r.Ops; {
			from := at % blockElements
			n := min(r.Batch, blockElements-from, r.Ops-at)
			if err := c.Extend(x[from : from+n]); err != nil {
				return err
			}
			at += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.res.Ops, r.res.Bytes = r.Ops, 8*r.Ops
	return r.sumColumn(c, x)
}

// sumColumn compares every element.
func (r *run) sumColumn(c Columns, x []int64) error {
	at, sum, wrong := int64(0), int64(0), int64(-1)
	err := c.Scan(func(block []int64) {
		for _, e := range block {
			if e != x[at%blockElements] && wrong < 0 {
				wrong = at
			}
			sum += e
			at++
		}
	})
	if err == nil && wrong >= 0 {
		err = fmt.Errorf("element %d is wrong", wrong)
	}
	r.res.Checksum = contract.Checksum(sum)
	return err
}

func (r *run) fillColumn() error {
	r.Ops, r.Batch = r.Keys, blockElements
	return r.extend()
}

// scan adds up all elements.
func (r *run) scan() error {
	c, err := r.columns()
	if err != nil {
		return err
	}
	n, sum := int64(0), int64(0)
	err = r.measure(func() error {
		return c.Scan(func(block []int64) {
			for _, e := range block {
				sum += e
			}
			n += int64(len(block))
		})
	})
	r.res.Ops, r.res.Bytes, r.res.Checksum = n, 8*n, contract.Checksum(sum)
	return err
}

// element reads Ops elements at random.
func (r *run) element() error {
	c, err := r.columns()
	if err != nil {
		return err
	}
	sum := int64(0)
	read := func(op int64) error {
		e, err := c.At(r.Pick(op, r.Keys))
		sum += e
		return err
	}
	if err := r.warm(1, read); err != nil {
		return err
	}
	sum = 0
	err = r.measure(func() error { return r.each(read) })
	r.res.Ops, r.res.Bytes, r.res.Checksum = r.Ops, 8*r.Ops, contract.Checksum(sum)
	return err
}
