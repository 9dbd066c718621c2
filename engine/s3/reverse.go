package s3

import (
	"context"
	"slices"

	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
)

// lastNames is names from the end: the last objects of keys with a value in a span, the last first.
// Servers list forward only, so it looks for a name behind which there are enough: some
// 10 to 60 requests for the last 1,000 of many.
func (s *Store) lastNames(ctx context.Context, sp span, limit int) (list []named, more bool, err error) {
	first, _, err := s.names(ctx, sp, 1)
	if err != nil || len(first) == 0 {
		return nil, false, err
	}
	if sp, err = s.narrow(ctx, sp, first[0].Key); err != nil {
		return nil, false, err
	}
	// Names behind bound are in tail. Those up to low are not looked at, but for the last of them, which
	// are in before if there are more than limit.
	low, bound := codec.Before(first[0].Key), sp.end
	some, vain := first[0].Key, -patienceInVain // a name that is not below low; requests that found nothing
	var before, tail []named
	for {
		middle := between(low, bound)
		part, rest, err := s.names(ctx, span{sp.prefix, middle, bound}, max(limit+1, batch))
		if err != nil {
			return nil, false, err
		}
		if rest {
			low, before = part[len(part)-1].Key, part
			some = low
			continue
		}
		tail = append(part, tail...)
		if middle == low {
			tail = append(before, tail...)
		}
		if len(tail) > limit {
			return reversed(tail[len(tail)-limit:]), true, nil
		}
		if middle == low {
			return reversed(tail), false, nil
		}
		bound = middle + "\x00"
		if len(part) > 0 {
			vain = 0
		} else if vain++; vain == patienceInVain { // what is left may have much in common again
			if sp, err = s.narrow(ctx, span{sp.prefix, sp.after, bound}, some); err != nil {
				return nil, false, err
			}
			bound = sp.end
		}
	}
}

// patienceInVain is how many requests may find no name before it is worth to ask what names have in
// common.
const patienceInVain = 4

func reversed(list []named) []named {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// narrow returns the span with a prefix that all its names have in common, and an end. name is one of
// them.
func (s *Store) narrow(ctx context.Context, sp span, name string) (span, error) {
	least, most := len(sp.prefix), len(name)
	for least < most { // how much of name do all have in common?
		n := (least + most + 1) / 2
		outside, _, err := s.names(ctx, span{sp.prefix, name[:n] + codec.Last, sp.end}, 1)
		if err != nil {
			return sp, err
		}
		if len(outside) == 0 {
			least = n
		} else {
			most = n - 1
		}
	}
	sp.prefix = name[:least]
	if end := sp.prefix + codec.Last; sp.end == "" || end < sp.end {
		sp.end = end
	}
	return sp, nil
}

// between returns a text about half-way from low to high, or low if there is none in a few characters
// more than they share.
func between(low, high string) string {
	const least, most = ' ', '~'
	shared := 0
	for shared < min(len(low), len(high)) && low[shared] == high[shared] {
		shared++
	}
	// Two digits of a number in base 95.
	at := func(s string, i int) int {
		if i < len(s) {
			return int(min(max(s[i], least), most) - least)
		}
		return 0
	}
	const base = most - least + 1
	a := at(low, shared)*base + at(low, shared+1)
	b := at(high, shared)*base + at(high, shared+1)
	middle := (a + b) / 2
	if middle <= a {
		return low
	}
	text := low[:shared] + string([]byte{byte(middle/base) + least, byte(middle%base) + least})
	if text <= low || text >= high {
		return low
	}
	return text
}
