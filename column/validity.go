package column

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// The companion of a nullable column, which says of each element whether it is there. Its type is
// one that the Python package takes for bytes:1.
const (
	validSuffix   = "_valid"
	validityType  = "bytes:1:validity"
	validMinChunk = 16 << 10
)

// withValidity is the layout of a nullable column: that of its data, and the companion.
type withValidity struct {
	data  layout
	valid fixed
	buf   run
}

func openNullable(a engine.Arrays, data layout, p *parts) (layout, error) {
	l := &withValidity{data: data, valid: fixed{stream{a, *p.valid}}}
	if has, of := l.valid.length(), data.length(); has > of {
		return nil, fmt.Errorf("%w: its part %s tells of %d elements, but there are %d: another program has removed some from the data alone; "+
			"let it remove the same from the other part", kvault.ErrCorrupt, p.valid.Name, has, of)
	}
	return l, nil
}

func (l *withValidity) length() int64 { return l.data.length() }

func (l *withValidity) read(ctx context.Context, from, to int64, r *run) error {
	if err := l.data.read(ctx, from, to, &l.buf); err != nil {
		return err
	}
	n := l.buf.len()
	flags, err := l.flags(ctx, from, n)
	if err != nil {
		return err
	}
	r.ends = r.ends[:0]
	if r.size = l.buf.size; r.size > 0 {
		r.size++
	}
	dst := r.fill(int64(len(l.buf.data) + n))
	if r.size > 0 {
		interleave(dst, flags, l.buf.data, r.size)
		return nil
	}
	for i := range n {
		dst[0] = flags[i]
		dst = dst[1+copy(dst[1:], l.buf.at(i)):]
		r.ends = append(r.ends, l.buf.start(i+1)+i+1)
	}
	return nil
}

// interleave is the reverse of separate.
func interleave(all, flags, data []byte, size int) {
	if size == 9 {
		for i, flag := range flags {
			b := all[9*i:][:9]
			b[0] = flag
			binary.LittleEndian.PutUint64(b[1:], binary.LittleEndian.Uint64(data[8*i:]))
		}
		return
	}
	for i, flag := range flags {
		b := all[size*i:][:size]
		b[0] = flag
		copy(b[1:], data[(size-1)*i:])
	}
}

// flags are those of n elements from number from on. Elements that another program appended to the
// data alone are there.
func (l *withValidity) flags(ctx context.Context, from int64, n int) ([]byte, error) {
	flags := bytes.Repeat([]byte{1}, n)
	told := min(max(l.valid.length()-from, 0), int64(n))
	if err := l.valid.stream.read(ctx, from, flags[:told]); err != nil {
		return nil, err
	}
	for i, flag := range flags {
		if flag > 1 {
			return nil, fmt.Errorf("%w: element %d of %s is %d: want 0 or 1", kvault.ErrCorrupt, from+int64(i), l.valid.arr.Name, flag)
		}
	}
	return flags, nil
}

// settle makes the companion as long as the data. Every change does so first: another program that
// appends to both would else append at different places.
func (l *withValidity) settle(ctx context.Context) error {
	for {
		missing := l.data.length() - l.valid.length()
		if missing <= 0 {
			return nil
		}
		r := &run{size: 1, data: bytes.Repeat([]byte{1}, int(min(missing, pageBytes)))}
		if err := l.valid.append(ctx, r); err != nil {
			return err
		}
	}
}

// parted takes a run of encoded elements apart.
func parted(r *run) (data, flags *run) {
	n := r.len()
	data, flags = &run{data: make([]byte, 0, len(r.data)-n)}, &run{size: 1, data: make([]byte, 0, n)}
	if r.size > 0 {
		data.size, flags.data = r.size-1, flags.data[:n]
		data.data = data.data[:cap(data.data)]
		separate(data.data, flags.data, r.data, r.size)
		return data, flags
	}
	data.ends = make([]int, 0, n)
	for i := range n {
		b := r.at(i)
		flags.data = append(flags.data, b[0])
		data.data = append(data.data, b[1:]...)
		data.ends = append(data.ends, len(data.data))
	}
	return data, flags
}

// separate takes apart encoded elements of one size. Most are of 9 bytes, for which copy costs more
// than what it copies.
func separate(data, flags, all []byte, size int) {
	if size == 9 {
		for i := range flags {
			b := all[9*i:][:9]
			flags[i] = b[0]
			binary.LittleEndian.PutUint64(data[8*i:], binary.LittleEndian.Uint64(b[1:]))
		}
		return
	}
	for i := range flags {
		b := all[size*i:][:size]
		flags[i] = b[0]
		copy(data[(size-1)*i:], b[1:])
	}
}

func (l *withValidity) append(ctx context.Context, r *run) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	data, flags := parted(r)
	if err := l.data.append(ctx, data); err != nil {
		return err
	}
	return l.valid.append(ctx, flags)
}

func (l *withValidity) set(ctx context.Context, i int64, b []byte) error {
	return l.both(ctx, func(l layout, part int) error { return l.set(ctx, i, [][]byte{b[1:], b[:1]}[part]) })
}

func (l *withValidity) insert(ctx context.Context, i int64, b []byte) error {
	return l.both(ctx, func(l layout, part int) error { return l.insert(ctx, i, [][]byte{b[1:], b[:1]}[part]) })
}

func (l *withValidity) remove(ctx context.Context, i int64) error {
	return l.both(ctx, func(l layout, _ int) error { return l.remove(ctx, i) })
}

func (l *withValidity) clear(ctx context.Context) error {
	return l.both(ctx, func(l layout, _ int) error { return l.clear(ctx) })
}

func (l *withValidity) compact(ctx context.Context) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.data.compact(ctx); err != nil {
		return err
	}
	made, err := renewed(ctx, l.valid.a, l.valid.arr.Name+" compacted", &l.valid.arr)
	if err != nil {
		return err
	}
	if err := l.valid.a.DropArray(ctx, l.valid.arr.ID); err != nil {
		return err
	}
	return l.valid.a.RenameArray(ctx, made.ID, l.valid.arr.Name)
}

// both changes the data, part 0, and the companion, part 1.
func (l *withValidity) both(ctx context.Context, change func(l layout, part int) error) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := change(l.data, 0); err != nil {
		return err
	}
	return change(&l.valid, 1)
}

// companion is the array that makes the column p nullable, if arr is one.
func companion(p *parts, arr *engine.Array) (*engine.Array, error) {
	if arr == nil || !isCompanion(arr, &p.data, p.index) {
		return nil, nil
	}
	if err := check(arr); err != nil {
		return nil, err
	}
	if arr.ElemSize != 1 {
		return nil, fmt.Errorf("%w: its part %s has elements of %d bytes, not of 1", kvault.ErrCorrupt, arr.Name, arr.ElemSize)
	}
	return arr, nil
}

// isCompanion says whether arr, which has the name of a companion, is that of a column. It is made
// behind the others, so one that is older was left when another program, which does not know it,
// removed a column, and made another by that name: it says nothing about that one.
func isCompanion(arr, data, index *engine.Array) bool {
	return arr.Type == validityType && arr.ID > data.ID && (index == nil || arr.ID > index.ID)
}

// ownerOf is the name of the column that an array is the companion of, or empty.
func ownerOf(ctx context.Context, a engine.Arrays, arr *engine.Array) (string, error) {
	whole, cut := strings.CutSuffix(arr.Name, validSuffix)
	if !cut || arr.Type != validityType {
		return "", nil
	}
	for _, look := range []func(context.Context, engine.Arrays, string) (*parts, error){findFixed, findVariable} {
		switch p, err := look(ctx, a, whole); {
		case err == nil && isCompanion(arr, &p.data, p.index):
			return whole, nil
		case err == nil:
		case !errors.Is(err, engine.ErrNotFound) && !errors.Is(err, errPart):
			return "", err
		}
	}
	return "", nil
}

// freeCompanion reports an error if a column by that name could not have, or would take for its
// own, the array beside it.
func freeCompanion(ctx context.Context, a engine.Arrays, name string, nullable bool) error {
	if nullable {
		_, err := find(ctx, a, name+validSuffix, false)
		return taken(name+validSuffix, err)
	}
	arr, err := a.Array(ctx, name+validSuffix)
	if err == nil && arr.Type != validityType {
		return nil
	}
	return taken(name+validSuffix, err)
}

// AllowNulls makes a column nullable, of whatever type it is: none of the elements that are there
// is null. Open it as Nullable of its codec from then on; columns that are open with the plain
// codec give a *TypeError. One that is nullable stays as it is. ErrNotFound if there is none by
// that name, and ErrExists if NAME_valid is another column.
func AllowNulls[S Scope](ctx context.Context, s S, name string) error {
	return fail("allow nulls", name, update(ctx, s, func(a engine.Arrays) error {
		p, err := find(ctx, a, name, false)
		if err != nil || p.valid != nil {
			return err
		}
		if err := freeCompanion(ctx, a, name, true); err != nil {
			return err
		}
		made, err := a.CreateArray(ctx, companionOf(name, p.data.MaxChunk))
		if err != nil {
			return err
		}
		l := &withValidity{data: plainLayout(a, p), valid: fixed{stream{a, made}}}
		return l.settle(ctx)
	}))
}

// ForbidNulls makes a nullable column plain again. A null in it is ErrInvalid, and its number in
// the error's text. One that is not nullable stays as it is.
func ForbidNulls[S Scope](ctx context.Context, s S, name string) error {
	return fail("forbid nulls", name, update(ctx, s, func(a engine.Arrays) error {
		p, err := find(ctx, a, name, false)
		if err != nil || p.valid == nil {
			return err
		}
		l := &withValidity{data: plainLayout(a, p), valid: fixed{stream{a, *p.valid}}}
		for from, n := int64(0), l.length(); from < n; from += pageBytes {
			flags, err := l.flags(ctx, from, int(min(n-from, pageBytes)))
			if err != nil {
				return err
			}
			if i := bytes.IndexByte(flags, 0); i >= 0 {
				return invalid("element %d is null", from+int64(i))
			}
		}
		return a.DropArray(ctx, p.valid.ID)
	}))
}

func companionOf(name string, maxChunk int64) engine.Array {
	return engine.Array{Name: name + validSuffix, Type: validityType, ElemSize: 1, MinChunk: min(validMinChunk, maxChunk), MaxChunk: maxChunk}
}
