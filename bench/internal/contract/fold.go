package contract

// Within the measured section a contender folds what it reads into a checksum that is cheap in
// every language and yet touches each page, so that nothing can be left unread. All of the bytes
// are compared after the section.
const (
	foldStep   = 4096
	streamStep = 65536
)

// Fold is the checksum of value v of index i. Those of several values are added.
func Fold(i int64, v []byte) uint64 {
	sum := uint64(len(v)) * 257
	for at := 0; at < len(v); at += foldStep {
		sum += uint64(v[at])
	}
	if len(v) > 0 {
		sum += uint64(v[len(v)-1]) * 65537
	}
	return sum * (2*uint64(i) + 1)
}

// FoldKey continues the checksum of a listing, which depends on the order, by one key.
func FoldKey(sum uint64, key string) uint64 {
	return sum*31 + uint64(len(key)) + uint64(key[len(key)-1])
}

// Folder is a writer that folds a stream.
type Folder struct {
	N   int64
	sum uint64
}

func (f *Folder) Write(p []byte) (int, error) {
	first := (streamStep - f.N%streamStep) % streamStep
	for at := first; at < int64(len(p)); at += streamStep {
		f.sum += uint64(p[at])
	}
	f.N += int64(len(p))
	return len(p), nil
}

// Sum is the checksum of all that was written.
func (f *Folder) Sum() uint64 { return f.sum + uint64(f.N)*257 }

// Samples are the indexes, of n, whose values are read back after a measurement that wrote.
func Samples(n int64) func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		for i := int64(0); i < n; i += max(n/256, 1) {
			if !yield(i) {
				return
			}
		}
	}
}
