package column

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// A table as a thing with a name is the columns under one prefix, such as "flights/". These calls
// are for all of them at once; List tells which there are.

// DropPrefix removes all columns whose names begin with prefix, and returns how many there were.
// All of them go, or none. ErrNotFound if there is none, and ErrInvalid if prefix is empty, because
// that would remove every column.
func DropPrefix[S Scope](ctx context.Context, s S, prefix string) (dropped int, err error) {
	err = update(ctx, s, func(a engine.Arrays) error {
		if prefix == "" {
			return invalid("the prefix is empty: that would drop every column")
		}
		g, err := gather(ctx, a, prefix)
		if err != nil {
			return err
		}
		for _, arr := range g.moving {
			if err := a.DropArray(ctx, arr.ID); err != nil {
				return err
			}
		}
		dropped = g.columns
		return nil
	})
	if err != nil {
		return 0, fail("drop", prefix, err)
	}
	return dropped, nil
}

// RenamePrefix gives all columns whose names begin with from the same names with to in its place,
// and returns how many there were. All are renamed, or none. ErrNotFound if there is none, and
// ErrExists if another column has one of the new names.
func RenamePrefix[S Scope](ctx context.Context, s S, from, to string) (renamed int, err error) {
	err = update(ctx, s, func(a engine.Arrays) error {
		g, err := gather(ctx, a, from)
		if err != nil {
			return err
		}
		if renamed = g.columns; from == to {
			return nil
		}
		if err := g.free(from, to); err != nil {
			return err
		}
		// If one prefix begins with the other, a new name may be the old one of another column,
		// which has to make way first.
		slices.SortStableFunc(g.moving, func(x, y engine.Array) int { return cmp.Compare(len(x.Name), len(y.Name)) })
		if len(to) > len(from) {
			slices.Reverse(g.moving)
		}
		for _, arr := range g.moving {
			if err := a.RenameArray(ctx, arr.ID, to+arr.Name[len(from):]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fail("rename", from, err)
	}
	return renamed, nil
}

// gathered are the arrays of the columns whose names begin with a prefix, and the others.
type gathered struct {
	moving, staying []engine.Array
	columns         int
}

func gather(ctx context.Context, a engine.Arrays, prefix string) (*gathered, error) {
	foreign, err := foreignArrays(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, arr := range foreign {
		if strings.HasPrefix(arr.Name, prefix) {
			_, err := a.Array(ctx, arr.Name) // the store says why it cannot be touched
			return nil, cmp.Or(err, error(&worded{"it is kept in a layout that is not known here", kvault.ErrUnsupported}))
		}
	}
	all, err := a.Arrays(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, info := range infos(all) {
		names[info.Name] = strings.HasPrefix(info.Name, prefix)
	}
	g := &gathered{}
	for _, moves := range names {
		if moves {
			g.columns++
		}
	}
	for _, arr := range all {
		if names[wholeOf(arr.Name, names)] {
			g.moving = append(g.moving, arr)
		} else {
			g.staying = append(g.staying, arr)
		}
	}
	if g.columns == 0 {
		return nil, &worded{"there are no columns with this prefix", kvault.ErrNotFound}
	}
	return g, nil
}

// wholeOf returns the column that an array is, or is a part of.
func wholeOf[V any](array string, columns map[string]V) string {
	if _, ok := columns[array]; ok {
		return array
	}
	for _, suffix := range []string{dataSuffix, indexSuffix, validSuffix} {
		if whole, cut := strings.CutSuffix(array, suffix); cut {
			if _, ok := columns[whole]; ok {
				return whole
			}
		}
	}
	return array
}

// free reports an error unless the columns can have names that begin with to: each name has to be
// one, to be free, and to leave all columns, these and the others, what they were.
func (g *gathered) free(from, to string) error {
	if !utf8.ValidString(to) || strings.ContainsRune(to, 0) {
		return invalid("a name has 1 to %d bytes of UTF-8 and no NUL", longestName)
	}
	taken := map[string]bool{}
	for _, info := range infos(g.staying) {
		taken[info.Name] = true
	}
	for _, arr := range g.staying {
		taken[arr.Name] = true
	}
	moving := infos(g.moving)
	for _, info := range moving {
		switch name := to + info.Name[len(from):]; {
		case name == "" || len(name) > longestName:
			return invalid("the new name %.300q has %d bytes, and a name has 1 to %d", name, len(name), longestName)
		case taken[name]:
			return &worded{"there is a column " + name + " already", kvault.ErrExists}
		}
	}
	renamed := slices.Clone(g.moving)
	for i := range renamed {
		renamed[i].Name = to + renamed[i].Name[len(from):]
		if taken[renamed[i].Name] {
			return &worded{"there is a column " + renamed[i].Name + " already", kvault.ErrExists}
		}
	}
	after := map[string]Info{}
	for _, info := range infos(slices.Concat(g.staying, renamed)) {
		after[info.Name] = info
	}
	for i := range moving {
		moving[i].Name = to + moving[i].Name[len(from):]
	}
	for _, info := range slices.Concat(moving, infos(g.staying)) {
		if after[info.Name] != info {
			return invalid("column %q would be taken for a part of another: choose another name", info.Name)
		}
	}
	return nil
}
