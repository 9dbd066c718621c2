package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

// newColumns are the types by name that --new flags say. The name may have a "=" of its own.
func newColumns(flags []string) (map[string]string, error) {
	types := map[string]string{}
	for _, f := range flags {
		at := strings.LastIndex(f, "=")
		if at < 1 || at == len(f)-1 {
			return nil, usagef("append: --new %s: want NAME=TYPE, such as size=i64", f)
		}
		name, typ := f[:at], f[at+1:]
		if !column.KnownType(typ) {
			return nil, unknownType("append: --new "+f, typ)
		}
		if other, ok := types[name]; ok && other != typ {
			return nil, usagef("append: --new gives the column %q two types, %s and %s", name, other, typ)
		}
		types[name] = typ
	}
	return types, nil
}

// inferTypes adds the types of columns that do not exist, and prints them: as data if the run is
// dry.
func (a *app) inferTypes(ctx context.Context, in *input, format exchange.Format, o *exchange.ImportOptions, dry bool) error {
	found, err := exchange.Infer(ctx, in, format, &exchange.InferOptions{ImportOptions: *o})
	if err := errors.Join(err, in.rewind()); err != nil {
		return err
	}
	existing, err := a.existingColumns(ctx)
	if err != nil {
		return err
	}
	types := map[string]string{}
	missing := slices.DeleteFunc(found, func(c exchange.Inferred) bool {
		_, given := o.Types[c.Name]
		return existing[o.Prefix+c.Name] && !given
	})
	for _, c := range missing {
		types[c.Name] = c.Type
	}
	o.Types = types
	a.hintNulls(missing)
	switch {
	case dry && a.flags.json:
		for _, c := range missing {
			if err := a.emit(vaultjson.Column{Name: c.Name, Type: c.Type}); err != nil {
				return err
			}
		}
	case dry && len(missing) == 0:
		a.note("All columns exist.")
	case dry:
		return a.printf("%s\n", asFlags(missing))
	case len(missing) > 0:
		a.note("%s", asFlags(missing))
	}
	return nil
}

// hintNulls tells of columns that are text only because null is a word there.
func (a *app) hintNulls(found []exchange.Inferred) {
	byWord := map[string][]string{}
	for _, c := range found {
		if c.Null != "" {
			byWord[c.Null] = append(byWord[c.Null], c.Name)
		}
	}
	for _, word := range slices.Sorted(maps.Keys(byWord)) {
		a.note("%q is the only text in %s: if it marks missing values, pass --null %s.", word, someOf(byWord[word]), shellWord(word))
	}
}

// existingColumns are the names of all columns of the vault, if there is one.
func (a *app) existingColumns(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	if a.flags.file != "" && a.missing() {
		return names, nil
	}
	err := a.withVault(ctx, reading, func(v *kvault.Vault) error {
		list, err := column.List(ctx, v)
		for _, info := range list {
			names[info.Name] = true
		}
		return err
	})
	return names, err
}

// asFlags are the columns as --new flags for a shell.
func asFlags(columns []exchange.Inferred) string {
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = "--new " + shellWord(c.Name+"="+c.Type)
	}
	return strings.Join(lines, " \\\n")
}

var plainWord = regexp.MustCompile(`^[\w./:=,@%+-]+$`)

// shellWord is text as one word of a shell.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// explainMisfit adds to an error about a value that does not fit a column which is to be made what
// the whole table would fit. given are the types of --new.
func (a *app) explainMisfit(ctx context.Context, in *input, format exchange.Format, o *exchange.ImportOptions, given map[string]string, err error) error {
	bad := (*kvault.Error)(nil)
	misfit := errors.Is(err, kvault.ErrInvalid) || errors.Is(err, kvault.ErrTooLarge)
	if !misfit || !errors.As(err, &bad) || bad.Op != "import" || in.rewind() != nil {
		return err
	}
	existing, failed := a.existingColumns(ctx)
	if failed != nil {
		return err
	}
	whole := *o
	whole.Types = given
	found, failed := exchange.Infer(ctx, in, format, &exchange.InferOptions{ImportOptions: whole, Rows: -1})
	if failed != nil {
		return err
	}
	fits := slices.DeleteFunc(found, func(c exchange.Inferred) bool {
		used, known := o.Types[c.Name]
		if !known { // the file says it, and not that a value is null
			used = strings.TrimSuffix(c.Type, ":null")
		}
		return used == c.Type || existing[o.Prefix+c.Name]
	})
	if len(fits) == 0 {
		return err
	}
	return fmt.Errorf("%w; all rows fit with %s", err, strings.ReplaceAll(asFlags(fits), " \\\n", " "))
}

// someOf names a few of many.
func someOf(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
