package column

import (
	"context"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// Info describes a column.
type Info struct {
	Name string
	// Type is the type of its elements, as Codec.Type has it.
	Type string
	// Len is the number of its elements.
	Len int64
	// Size is the length of each element in bytes, or 0 if they differ.
	Size int64
	// Foreign says that the column can be listed only: it is kept in the layout of versions 1.x of
	// the Python package, which is not known here. To open it fails with a *engine.LayoutError.
	Foreign bool
}

// List describes all columns of the vault, those of types that this package has no codec for too,
// in the order they were made. Foreign ones come last.
func List[S Scope](ctx context.Context, s S) ([]Info, error) {
	var list []Info
	v, tx := unscope(s)
	err := within(ctx, v, tx, View, func(a engine.Arrays) error {
		arrays, err := a.Arrays(ctx)
		if err != nil {
			return err
		}
		var ids []int64
		list, ids = describe(arrays)
		for i, id := range ids {
			behind, _ := pendingFor(a, identity{name: list[i].Name, typ: list[i].Type, id: id})
			list[i].Len += lengthOf(behind)
		}
		foreign, err := foreignArrays(ctx, a)
		for _, arr := range foreign {
			list = append(list, Info{Name: arr.Name, Type: arr.Type, Len: arr.Length, Size: arr.ElemSize, Foreign: true})
		}
		return err
	})
	return list, fail("list", "", err)
}

func foreignArrays(ctx context.Context, a engine.Arrays) ([]engine.Array, error) {
	foreign, ok := a.(engine.ForeignArrays)
	if !ok {
		return nil, nil
	}
	return foreign.ForeignArrays(ctx)
}

// infos are the columns that arrays are parts of.
func infos(arrays []engine.Array) []Info {
	list, _ := describe(arrays)
	return list
}

// describe puts together which arrays are parts of one column. ids are those of parts.id.
func describe(arrays []engine.Array) (list []Info, ids []int64) {
	byName := make(map[string]*engine.Array, len(arrays))
	for i := range arrays {
		byName[arrays[i].Name] = &arrays[i]
	}
	pair := func(whole string) (data, index *engine.Array) {
		data, index = byName[whole+dataSuffix], byName[whole+indexSuffix]
		if data == nil || index == nil || pairType(data, index) == "" {
			return nil, nil
		}
		return data, index
	}
	var isColumn func(name string) bool
	var validates func(arr *engine.Array, whole string) bool
	isColumn = func(name string) bool {
		if data, _ := pair(name); data != nil {
			return true
		}
		arr := byName[name]
		if arr == nil {
			return false
		}
		for _, suffix := range []string{dataSuffix, indexSuffix} {
			if whole, cut := strings.CutSuffix(name, suffix); cut {
				if data, _ := pair(whole); data != nil {
					return false
				}
			}
		}
		whole, cut := strings.CutSuffix(name, validSuffix)
		return !cut || !validates(arr, whole)
	}
	validates = func(arr *engine.Array, whole string) bool {
		if data, index := pair(whole); data != nil {
			return isCompanion(arr, data, index)
		}
		data := byName[whole]
		return data != nil && isCompanion(arr, data, nil) && isColumn(whole)
	}
	for _, arr := range arrays {
		if whole, cut := strings.CutSuffix(arr.Name, indexSuffix); cut {
			if data, _ := pair(whole); data != nil {
				continue // told with its data
			}
		}
		info, id := Info{Name: arr.Name, Type: arr.Type, Len: arr.Length, Size: arr.ElemSize}, arr.ID
		if whole, cut := strings.CutSuffix(arr.Name, dataSuffix); cut {
			if data, index := pair(whole); index != nil {
				info, id = Info{Name: whole, Type: pairType(data, index), Len: index.Length}, index.ID
			}
		}
		whole, cut := strings.CutSuffix(arr.Name, validSuffix)
		if cut && validates(&arr, whole) {
			continue // told with its data
		}
		valid := byName[info.Name+validSuffix]
		info.Type = typeOf(info.Type, valid != nil && validates(valid, info.Name))
		if strings.HasSuffix(info.Type, nullSuffix) && info.Size > 0 {
			info.Size++
		}
		list, ids = append(list, info), append(ids, id)
	}
	return list, ids
}

// Drop removes a column, whatever its type, with all its parts. ErrNotFound if there is none by
// that name.
func Drop[S Scope](ctx context.Context, s S, name string) error {
	return fail("drop", name, update(ctx, s, func(a engine.Arrays) error {
		p, err := find(ctx, a, name, false)
		if err != nil {
			return err
		}
		return p.drop(ctx, a)
	}))
}

func (p *parts) drop(ctx context.Context, a engine.Arrays) error {
	for _, arr := range []*engine.Array{p.valid, p.index, &p.data} {
		if arr == nil {
			continue
		}
		if err := a.DropArray(ctx, arr.ID); err != nil {
			return err
		}
	}
	return nil
}

// Rename gives a column another name. ErrNotFound if there is no column from, ErrExists if to is
// taken.
func Rename[S Scope](ctx context.Context, s S, from, to string) error {
	return fail("rename", from, update(ctx, s, func(a engine.Arrays) error {
		p, err := find(ctx, a, from, false)
		if err != nil || from == to {
			return err
		}
		if err := free(ctx, a, to, p.index != nil); err != nil {
			return err
		}
		if err := p.freeTo(ctx, a, to); err != nil {
			return err
		}
		return p.rename(ctx, a, to)
	}))
}

// freeTo reports an error if the column cannot have another name.
func (p *parts) freeTo(ctx context.Context, a engine.Arrays, to string) error {
	if err := freeCompanion(ctx, a, to, p.valid != nil); err != nil {
		return err
	}
	if p.index != nil {
		return freeParts(ctx, a, to)
	}
	renamed := p.data
	renamed.Name = to
	if err := alone(ctx, a, renamed); err != nil {
		return err
	}
	owner, err := ownerOf(ctx, a, &renamed)
	if err == nil && owner != "" {
		err = invalid("it would be taken for a part of column %q: choose another name", owner)
	}
	return err
}

func (p *parts) rename(ctx context.Context, a engine.Arrays, to string) error {
	data := to
	if p.index != nil {
		data += dataSuffix
	}
	for _, part := range []struct {
		arr  *engine.Array
		name string
	}{{&p.data, data}, {p.index, to + indexSuffix}, {p.valid, to + validSuffix}} {
		if part.arr == nil {
			continue
		}
		if err := a.RenameArray(ctx, part.arr.ID, part.name); err != nil {
			return err
		}
	}
	return nil
}
