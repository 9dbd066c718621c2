package contract

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
)

// PoolBytes is the length of the pool: bytes that do not compress, made from the seed, that all
// values are cut from.
const PoolBytes = 8 << 20

// stride is how far apart the values of neighbouring indexes begin; a prime larger than the largest
// value.
const stride = 1_299_709

// WritePool makes the pool.
func WritePool(path string, seed uint64) error {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	pool := make([]byte, PoolBytes)
	if _, err := rand.NewChaCha8(key).Read(pool); err != nil {
		return err
	}
	return os.WriteFile(path, pool, 0o600)
}

// Data is what keys, values and elements are made of.
type Data struct {
	Pool []byte
	Seed uint64
}

// LoadData reads the pool.
func LoadData(path string, seed uint64) (*Data, error) {
	pool, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(pool) != PoolBytes {
		return nil, fmt.Errorf("%s has %d bytes, want %d", path, len(pool), PoolBytes)
	}
	return &Data{Pool: pool, Seed: seed}, nil
}

// mix is the finalizer of SplitMix64: it permutes the 64-bit numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Key is the key of index i: neighbours are far apart.
func (d *Data) Key(i int64) string {
	const digits = "0123456789abcdef"
	x := mix(d.Seed + uint64(i))
	var b [18]byte
	b[0], b[1] = 'k', '/'
	for j := range 16 {
		b[2+j] = digits[x>>(60-4*j)&15]
	}
	return string(b[:])
}

// KeyOrder is the indexes below n in the order of their keys.
func (d *Data) KeyOrder(n int64) []int64 {
	order := make([]int64, n)
	for i := range order {
		order[i] = int64(i)
	}
	slices.SortFunc(order, func(a, b int64) int { return cmp.Compare(mix(d.Seed+uint64(a)), mix(d.Seed+uint64(b))) })
	return order
}

// Value is the value of index i.
func (d *Data) Value(i, size int64) []byte {
	at := i * stride % (int64(len(d.Pool)) - size + 1)
	return d.Pool[at : at+size : at+size]
}

// Pick is the index, below n, that the operation op of a random order goes to.
func (d *Data) Pick(op, n int64) int64 {
	return int64(mix(d.Seed^0x5eed+uint64(op)) % uint64(n))
}

// Element is element i of a column.
func (d *Data) Element(i int64) int64 {
	at := i * 8 % int64(len(d.Pool))
	return int64(binary.LittleEndian.Uint64(d.Pool[at:]))
}

// Stream is the pool again and again, size bytes of it.
func (d *Data) Stream(size int64) io.Reader {
	return io.LimitReader(&ring{pool: d.Pool}, size)
}

type ring struct {
	pool []byte
	at   int
}

func (r *ring) Read(p []byte) (int, error) {
	n := copy(p, r.pool[r.at:])
	r.at = (r.at + n) % len(r.pool)
	return n, nil
}

// Compare is a writer that fails when what it gets is not the Stream.
func (d *Data) Compare() *Comparer { return &Comparer{pool: d.Pool} }

// Comparer counts what was equal.
type Comparer struct {
	pool []byte
	N    int64
}

func (c *Comparer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		want := c.pool[c.N%int64(len(c.pool)):]
		n := min(len(rest), len(want))
		if !bytes.Equal(rest[:n], want[:n]) {
			return 0, fmt.Errorf("the stream differs near byte %d", c.N)
		}
		c.N += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}
