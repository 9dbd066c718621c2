package column

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// layout is how the elements of a column lie in its arrays, for the time of one call. Indexes have
// been checked.
type layout interface {
	length() int64
	// read puts the elements from number from on into r: at least one and at most up to number to,
	// as many as make a page.
	read(ctx context.Context, from, to int64, r *run) error
	append(ctx context.Context, r *run) error
	set(ctx context.Context, i int64, b []byte) error
	insert(ctx context.Context, i int64, b []byte) error
	remove(ctx context.Context, i int64) error
	clear(ctx context.Context) error
	// compact gives back the space of what was removed.
	compact(ctx context.Context) error
}

// pageBytes is about how much is read at a time: what a processor keeps close at hand.
const pageBytes = 1 << 20

// The names of the two arrays of a column whose elements differ in size, and what the one that says
// where they lie is called in the layout of version 0.4 of the Python package.
const (
	dataSuffix  = "_data"
	indexSuffix = "_idx"
	indexType   = "adaptive_idx"
	entryBytes  = 12
)

// parts are the arrays of a column: one, or data and index, and of a nullable one its companion.
type parts struct {
	data  engine.Array
	index *engine.Array
	valid *engine.Array
}

// length is the number of elements.
func (p *parts) length() int64 {
	if p.index != nil {
		return p.index.Length
	}
	return p.data.Length
}

// id is that of the array by which a column is told from another of the same name. Compact makes
// the data anew, and leaves the index.
func (p *parts) id() int64 {
	if p.index != nil {
		return p.index.ID
	}
	return p.data.ID
}

// typ is the type of the elements.
func (p *parts) typ() string { return typeOf(p.data.Type, p.valid != nil) }

// typeOf is the type of the elements of a column. What another program wrote behind the name of a
// type does not make it nullable.
func typeOf(typ string, nullable bool) string {
	for plain, cut := strings.CutSuffix(typ, nullSuffix); cut; plain, cut = strings.CutSuffix(typ, nullSuffix) {
		typ = plain
	}
	if nullable {
		typ += nullSuffix
	}
	return typ
}

// errPart: an array is a part of a column, and no column.
var errPart = &worded{"it is a part of another column", kvault.ErrInvalid}

// find looks for the arrays of the column. The kind that is probably there counts first.
func find(ctx context.Context, a engine.Arrays, name string, variable bool) (*parts, error) {
	for range 2 {
		p, err := findKind(ctx, a, name, variable)
		if p != nil || err != nil {
			return p, err
		}
		variable = !variable
	}
	if _, err := a.Array(ctx, name); err != nil && !errors.Is(err, engine.ErrNotFound) {
		return nil, err // as for a column in a layout of another program
	}
	return nil, &worded{"there is no such column", kvault.ErrNotFound}
}

// findKind looks for the arrays of a column of elements of one size, or of several. It is nil if
// there are none.
func findKind(ctx context.Context, a engine.Arrays, name string, variable bool) (p *parts, err error) {
	names := []string{name, name + validSuffix}
	if variable {
		names = []string{name + dataSuffix, name + indexSuffix, name + validSuffix}
	}
	list, err := a.ArraysNamed(ctx, names...)
	if err != nil {
		return nil, err
	}
	named := func(name string) *engine.Array {
		i := slices.IndexFunc(list, func(arr engine.Array) bool { return arr.Name == name })
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	if variable {
		p, err = variableOf(named(names[0]), named(names[1]))
	} else {
		p, err = fixedOf(ctx, a, named(name))
	}
	if err == nil && p != nil {
		p.valid, err = companion(p, named(name+validSuffix))
	}
	return p, err
}

func findFixed(ctx context.Context, a engine.Arrays, name string) (*parts, error) {
	arr, err := a.Array(ctx, name)
	if err != nil {
		return nil, err
	}
	return fixedOf(ctx, a, &arr)
}

// fixedOf is the column that is one array, unless that is a part of another. It is nil if there is
// no array.
func fixedOf(ctx context.Context, a engine.Arrays, arr *engine.Array) (*parts, error) {
	if arr == nil {
		return nil, nil
	}
	for _, suffix := range []string{dataSuffix, indexSuffix} {
		whole, cut := strings.CutSuffix(arr.Name, suffix)
		if !cut {
			continue
		}
		if _, err := findVariable(ctx, a, whole); err == nil {
			return nil, partOf(whole)
		} else if !errors.Is(err, engine.ErrNotFound) {
			return nil, err
		}
	}
	if owner, err := ownerOf(ctx, a, arr); err != nil || owner != "" {
		return nil, cmp.Or(err, partOf(owner))
	}
	return &parts{data: *arr}, check(arr)
}

func partOf(whole string) error {
	return &worded{fmt.Sprintf("it is a part of column %q", whole), errPart}
}

func findVariable(ctx context.Context, a engine.Arrays, name string) (*parts, error) {
	data, err := a.Array(ctx, name+dataSuffix)
	if err != nil {
		return nil, err
	}
	index, err := a.Array(ctx, name+indexSuffix)
	if err != nil {
		return nil, err
	}
	p, err := variableOf(&data, &index)
	if p == nil {
		return nil, engine.ErrNotFound
	}
	return p, err
}

// variableOf is the column that is data and index. It is nil if one of them is missing, or if they
// are two columns.
func variableOf(data, index *engine.Array) (*parts, error) {
	if data == nil || index == nil {
		return nil, nil
	}
	typ := pairType(data, index)
	if typ == "" {
		return nil, nil
	}
	p := &parts{data: *data, index: index}
	p.data.Type = typ
	return p, errors.Join(check(data), check(index))
}

// pairType tells the two parts of a column from two columns that happen to have such names, and
// returns the type of the column's elements, or nothing. Version 0.2 of the package called the type
// of the data bytes:1: to it they were single bytes.
func pairType(data, index *engine.Array) string {
	joined := index.Type == Int64.Type() && index.ElemSize == 8
	switch {
	case data.ElemSize != 1 || !joined && (index.Type != indexType || index.ElemSize != entryBytes):
		return ""
	case joined && data.Type == FixedBytes(1).Type():
		return Bytes.Type()
	}
	if n, known := parseType(data.Type); known && n.size == 1 {
		return ""
	}
	return data.Type
}

// alone refuses a column of elements of one size if it and another would be taken for the two parts
// of one.
func alone(ctx context.Context, a engine.Arrays, arr engine.Array) error {
	for _, suffixes := range [][2]string{{dataSuffix, indexSuffix}, {indexSuffix, dataSuffix}} {
		whole, cut := strings.CutSuffix(arr.Name, suffixes[0])
		if !cut {
			continue
		}
		other, err := a.Array(ctx, whole+suffixes[1])
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		data, index := &arr, &other
		if suffixes[0] == indexSuffix {
			data, index = index, data
		}
		if err == nil && pairType(data, index) != "" {
			return invalid("together with column %q it would be taken for column %q of version 0.2 of the Python package: choose another name",
				other.Name, whole)
		}
	}
	return nil
}

// check refuses numbers that would make nonsense of addresses.
func check(a *engine.Array) error {
	const largest = 1 << 62
	if a.ElemSize < 1 || a.Length < 0 || a.Length > largest/a.ElemSize || a.MinChunk < 1 || a.MaxChunk < a.MinChunk || a.MaxChunk > largest {
		return fmt.Errorf("%w: array %q has %d elements of %d bytes in chunks of %d to %d bytes", kvault.ErrCorrupt,
			a.Name, a.Length, a.ElemSize, a.MinChunk, a.MaxChunk)
	}
	return nil
}

// openParts finds a column of the given type.
func openParts(ctx context.Context, a engine.Arrays, name, typ string, size int) (*parts, error) {
	p, err := find(ctx, a, name, size == 0)
	if err != nil {
		return nil, err
	}
	if p.valid != nil && size > 0 {
		size-- // of the data
	}
	if !SameType(p.typ(), typ) || size > 0 && (p.index != nil || p.data.ElemSize != int64(size)) || size == 0 && p.index == nil {
		return nil, &TypeError{Column: name, Type: p.typ(), Want: typ}
	}
	return p, nil
}

// open returns the layout of a column of the given type.
func open(ctx context.Context, a engine.Arrays, name, typ string, size int) (layout, error) {
	p, err := openParts(ctx, a, name, typ, size)
	if err != nil {
		return nil, err
	}
	l := plainLayout(a, p)
	if p.valid != nil {
		if l, err = openNullable(a, l, p); err != nil {
			return nil, err
		}
	}
	if behind, _ := pendingFor(a, identity{name, typ, size, p.id()}); len(behind) > 0 {
		l = &extended{l, behind}
	}
	return l, nil
}

// plainLayout is the layout of the data.
func plainLayout(a engine.Arrays, p *parts) layout {
	if p.index != nil {
		return openVariable(a, p)
	}
	return &fixed{stream{a, p.data}}
}
