package thumb

import (
	"context"
	"runtime"
)

const (
	// unit is what the memory for decoding is counted in, in bytes.
	unit = 16 << 20
	// units is how many there are. One image takes at most all of them.
	units = 32
)

// slots bounds how many images are decoded at once, by the processors there are, and the memory
// that all of them take.
type slots struct {
	turn chan struct{} // whoever is in it takes units, so no two wait for each other's
	free chan struct{}
}

func newSlots() *slots { return &slots{make(chan struct{}, 1), make(chan struct{}, units)} }

// take waits for room to decode an image that needs so many bytes, or until ctx ends. The caller
// calls release afterwards.
func (s *slots) take(ctx context.Context, bytes int64) (release func(), err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	wanted := max(units/runtime.GOMAXPROCS(0), int((bytes+unit-1)/unit), 1)
	taken := 0
	release = func() {
		for range taken {
			<-s.free
		}
	}
	for ; taken < wanted; taken++ {
		select {
		case s.free <- struct{}{}:
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
	return release, nil
}
