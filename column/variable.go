package column

import (
	"github.com/kohakuvault/kvault/column/internal/limits"
	"github.com/kohakuvault/kvault/engine"
)

// openVariable tells by the index which layout a column of elements of differing sizes has.
func openVariable(a engine.Arrays, p *parts) layout {
	data, index := stream{a, p.data}, fixed{stream{a, *p.index}}
	if index.arr.ElemSize == entryBytes {
		// Chunks need not be as long as another program said. They must not grow beyond what a row
		// holds, and none begins with a length that Create refuses.
		data.arr.MaxChunk = min(data.arr.MaxChunk, int64(limits.Element))
		if data.arr.MinChunk > largestChunk {
			data.arr.MinChunk = defaultMinChunk
		}
		data.arr.MinChunk = min(data.arr.MinChunk, data.arr.MaxChunk)
		return &scattered{data: data, index: index}
	}
	return &joined{data: data, index: index}
}

// entriesAtOnce bounds how much of an index is read at a time.
const entriesAtOnce = 8192
