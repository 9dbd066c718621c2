package cli

import (
	"context"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

type findFlags struct {
	names, sizes, metas  []string
	newer, older, typing string
	null                 bool
	limit                int
}

func (a *app) findCommand() *cobra.Command {
	var flags findFlags
	cmd := &cobra.Command{
		Use:     "find [PREFIX]",
		GroupID: groupValues,
		Short:   "Find keys by name, size, time, type and metadata",
		Long: `List the keys in the folder PREFIX, or of the whole vault, that fulfil all of
the conditions. No value is read.

--name takes a GLOB for the last part of the key, or for the whole key if it has
a "/"; of several names one must match. --size takes a number of bytes, or of
K, M, G or T (1,024 times as many each): +10M is more than that, -10M less, and
10M exactly that. --newer and --older take a time
such as 2026-11-30 or 2026-11-30T14:05:00Z, or an age such as 90m, 36h, 7d or
2w. --type takes a content type, with * for a part of it. --meta takes
NAME=VALUE, or NAME for any value. A value that another program wrote has no
time, type or metadata, so a condition on them leaves it out.

` + globHelp + `

` + exitHelp(),
		Example: `  kvault -f media.kv find photos --name '*.jpg' --size +10M
  kvault -f media.kv find --newer 7d --type 'image/*' --json
  kvault -f media.kv find tmp --older 2026-01-01 -0 | xargs -0 kvault -f media.kv rm`,
		Args:              takes(0, 1, 0),
		ValidArgsFunction: a.completeInTurn(a.completeFolder),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.find(ctx, optionalPrefix(args), flags)
		}),
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&flags.names, "name", nil, "keys that match `GLOB`; may be repeated")
	fs.StringArrayVar(&flags.sizes, "size", nil,
		"values of this `SIZE`: +10M, -10M or 10M; may be repeated")
	fs.StringVar(&flags.newer, "newer", "", "values modified after this `TIME`, or within this age")
	fs.StringVar(&flags.older, "older", "",
		"values modified before this `TIME`, or longer ago than this age")
	fs.StringVar(&flags.typing, "type", "", "values of this content `TYPE`, such as image/*")
	fs.StringArrayVar(&flags.metas, "meta", nil,
		"values with this metadata, `NAME=VALUE` or NAME; may be repeated")
	fs.BoolVarP(&flags.null, "print0", "0", false, "end each key with a NUL byte instead of a newline")
	fs.IntVar(&flags.limit, "limit", 0, "list at most `N`; 0 lists all")
	return cmd
}

func (a *app) find(ctx context.Context, prefix string, flags findFlags) error {
	if flags.limit < 0 {
		return usagef("--limit is negative")
	}
	wanted, err := flags.conditions(time.Now())
	if err != nil {
		return err
	}
	show := a.entryPrinter(lsFlags{null: flags.null})
	return a.withVault(ctx, reading, func(v *kvault.Vault) error {
		found := 0
		o := &kvault.ListOptions{Prefix: prefix, NoMetadata: !a.flags.json && !flags.needMetadata()}
		for e, err := range v.List(ctx, o) {
			if err != nil {
				return err
			}
			if !wanted(e) {
				continue
			}
			if err := show(e); err != nil {
				return err
			}
			if found++; found == flags.limit {
				break
			}
		}
		return nil
	})
}

// needMetadata reports whether a condition is about more than key and size.
func (f *findFlags) needMetadata() bool {
	return f.newer != "" || f.older != "" || f.typing != "" || len(f.metas) > 0
}

type condition = func(kvault.Entry) bool

// conditions is what an entry must fulfil.
func (f *findFlags) conditions(now time.Time) (condition, error) {
	var all []condition
	for _, read := range []func(time.Time) ([]condition, error){
		f.byName, f.bySize, f.byTime, f.byType, f.byMeta,
	} {
		list, err := read(now)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return func(e kvault.Entry) bool {
		for _, is := range all {
			if !is(e) {
				return false
			}
		}
		return true
	}, nil
}

func (f *findFlags) byName(time.Time) ([]condition, error) {
	if len(f.names) == 0 {
		return nil, nil
	}
	var matchers []condition
	for _, name := range f.names {
		g, err := parseGlob("name", name)
		if err != nil {
			return nil, err
		}
		if strings.Contains(name, "/") {
			matchers = append(matchers, func(e kvault.Entry) bool { return g.match(e.Key) })
		} else {
			matchers = append(matchers, func(e kvault.Entry) bool { return g.match(lastPart(e.Key)) })
		}
	}
	return []condition{func(e kvault.Entry) bool {
		for _, is := range matchers {
			if is(e) {
				return true
			}
		}
		return false
	}}, nil
}

func (f *findFlags) bySize(time.Time) (list []condition, err error) {
	for _, text := range f.sizes {
		number := strings.TrimLeft(text, "+-")
		n, err := parseSize(number)
		if err != nil || len(text)-len(number) > 1 {
			return nil, usagef("--size: %.100q is not a size, such as +10M, -2.5K or 4096", text)
		}
		switch text[0] {
		case '+':
			list = append(list, func(e kvault.Entry) bool { return e.Size > n })
		case '-':
			list = append(list, func(e kvault.Entry) bool { return e.Size < n })
		default:
			list = append(list, func(e kvault.Entry) bool { return e.Size == n })
		}
	}
	return list, nil
}

// sizeUnits are the powers of 1,024 that the units of a size stand for.
var sizeUnits = map[string]int{
	"": 0, "B": 0, "K": 1, "KB": 1, "KIB": 1, "M": 2, "MB": 2, "MIB": 2,
	"G": 3, "GB": 3, "GIB": 3, "T": 4, "TB": 4, "TIB": 4,
}

// parseSize reads a number of bytes, or of a unit.
func parseSize(text string) (int64, error) {
	unit := strings.TrimLeft(text, "0123456789.")
	number := text[:len(text)-len(unit)]
	power, known := sizeUnits[strings.ToUpper(unit)]
	if !known {
		return 0, strconv.ErrSyntax
	}
	if n, err := strconv.ParseUint(number, 10, 63); err == nil && n <= math.MaxInt64>>(10*power) {
		return int64(n) << (10 * power), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if f *= float64(int64(1) << (10 * power)); err == nil && f >= math.MaxInt64 {
		err = strconv.ErrRange
	}
	return int64(f), err
}

func (f *findFlags) byTime(now time.Time) (list []condition, err error) {
	if f.newer != "" {
		from, err := parseWhen("newer", f.newer, now)
		if err != nil {
			return nil, err
		}
		list = append(list, func(e kvault.Entry) bool { return e.ModTime.After(from) })
	}
	if f.older != "" {
		to, err := parseWhen("older", f.older, now)
		if err != nil {
			return nil, err
		}
		list = append(list, func(e kvault.Entry) bool {
			return !e.ModTime.IsZero() && e.ModTime.Before(to)
		})
	}
	return list, nil
}

// parseWhen reads a time, or an age before now.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{
		time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04:05",
	} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if age, err := parseAge(text); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	return time.Time{}, usagef("--%s: %.100q is neither a time, such as 2026-11-30 or "+
		"2026-11-30T14:05:00Z, nor an age, such as 90m, 36h, 7d or 2w", flag, text)
}

// parseAge reads a duration, also one in days or weeks.
func parseAge(text string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(number, 10, 31)
			if err == nil && n > uint64(math.MaxInt64/int64(length)) {
				err = strconv.ErrRange
			}
			return time.Duration(n) * length, err
		}
	}
	return time.ParseDuration(text)
}

func (f *findFlags) byType(time.Time) ([]condition, error) {
	if f.typing == "" {
		return nil, nil
	}
	pattern := strings.ToLower(f.typing)
	if _, err := path.Match(pattern, ""); err != nil || len(pattern) > longestGlob {
		return nil, usagef("--type: %.100q is not a content type, such as text/plain or image/*",
			f.typing)
	}
	return []condition{func(e kvault.Entry) bool {
		if ok, err := path.Match(pattern, strings.ToLower(e.ContentType)); ok && err == nil {
			return true
		}
		bare, _, _ := strings.Cut(e.ContentType, ";")
		ok, err := path.Match(pattern, strings.ToLower(strings.TrimSpace(bare)))
		return ok && err == nil
	}}, nil
}

func (f *findFlags) byMeta(time.Time) (list []condition, err error) {
	for _, pair := range f.metas {
		name, value, exact := strings.Cut(pair, "=")
		if name == "" {
			return nil, usagef("--meta %q is neither NAME=VALUE nor NAME", pair)
		}
		list = append(list, func(e kvault.Entry) bool {
			got, has := e.User[name]
			return has && (!exact || got == value)
		})
	}
	return list, nil
}
