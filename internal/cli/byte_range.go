package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// byteRange is a part of a value: the bytes first to last, both included, or the last suffix ones if
// first is below 0. A last below 0 is the end.
type byteRange struct {
	first, last, suffix int64
}

var wholeValue = byteRange{last: -1}

// parseByteRange reads A-B, A- or -N, as a range of bytes in HTTP.
func parseByteRange(s string) (byteRange, error) {
	bad := usagef("--range %q is none of A-B, A- and -N", s)
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		return byteRange{}, bad
	}
	if from == "" {
		n, err := strconv.ParseUint(to, 10, 63)
		if err != nil || n == 0 {
			return byteRange{}, bad
		}
		return byteRange{first: -1, suffix: int64(n)}, nil
	}
	first, err := strconv.ParseUint(from, 10, 63)
	if err != nil {
		return byteRange{}, bad
	}
	if to == "" {
		return byteRange{first: int64(first), last: -1}, nil
	}
	last, err := strconv.ParseUint(to, 10, 63)
	if err != nil || last < first {
		return byteRange{}, bad
	}
	return byteRange{first: int64(first), last: int64(last)}, nil
}

// of is where the byteRange lies in a value of size bytes. A byteRange that ends past the value is
// cut; one that starts there is an error, except for the whole of an empty value.
func (s byteRange) of(size int64) (off, n int64, err error) {
	if s == wholeValue {
		return 0, size, nil
	}
	if s.first < 0 {
		n = min(s.suffix, size)
		return size - n, n, nil
	}
	if s.first >= size {
		return 0, 0, fmt.Errorf("the range starts at byte %d, but the value has %d bytes", s.first, size)
	}
	end := size - 1
	if s.last >= 0 {
		end = min(s.last, end)
	}
	return s.first, end - s.first + 1, nil
}
