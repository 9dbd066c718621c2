package format

import (
	"encoding/binary"
	"math"

	"github.com/kohakuvault/kvault/engine"
)

// UploadOwner is the owner of a value in ValuesTable that is an upload. It has the form of a process
// on another host. No host has a colon in its name.
const UploadOwner = "kvault:upload|1|0"

// AppendExtents appends extents as UploadsTable has them: of each the length of the gap before it
// and its own, as unsigned varints.
func AppendExtents(b []byte, x engine.Extents) []byte {
	at := int64(0)
	for _, e := range x {
		b = binary.AppendUvarint(b, uint64(e.Start-at))
		b = binary.AppendUvarint(b, uint64(e.End-e.Start))
		at = e.End
	}
	return b
}

// ParseExtents reads what AppendExtents has written, and says whether b is that.
func ParseExtents(b []byte) (x engine.Extents, ok bool) {
	for at := int64(0); len(b) > 0; {
		gap, n := binary.Uvarint(b)
		if n <= 0 || gap > uint64(math.MaxInt64-at) || gap == 0 && at > 0 {
			return nil, false
		}
		start := at + int64(gap)
		length, m := binary.Uvarint(b[n:])
		if m <= 0 || length == 0 || length > uint64(math.MaxInt64-start) || len(x) == engine.MaxExtents {
			return nil, false
		}
		at = start + int64(length)
		x, b = append(x, engine.Extent{Start: start, End: at}), b[n+m:]
	}
	return x, true
}
