package kvault_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/mem"
)

// optionCalls has a call for each type of options that has numbers, and in negative the fields for
// which a negative number stands for none, or for no limit.
var optionCalls = []struct {
	zero     any
	negative []string
	call     func(t *testing.T, o any) error
}{
	{kvault.Options{}, []string{"BusyTimeout", "OneRowLimit"}, func(t *testing.T, o any) error {
		v, err := kvault.Open(t.Context(), filepath.Join(t.TempDir(), "v.kv"), o.(*kvault.Options))
		if err != nil {
			return err
		}
		return v.Close()
	}},
	{kvault.CacheOptions{}, nil, func(t *testing.T, o any) error {
		return newOn(t, mem.New(), nil).EnableCache(t.Context(), o.(*kvault.CacheOptions))
	}},
	{kvault.ListOptions{}, nil, func(t *testing.T, o any) error {
		for _, err := range newOn(t, mem.New(), nil).List(t.Context(), o.(*kvault.ListOptions)) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{kvault.PutOptions{}, nil, func(t *testing.T, o any) error {
		_, err := newOn(t, mem.New(), nil).PutReader(t.Context(), "k", strings.NewReader(""), o.(*kvault.PutOptions))
		return err
	}},
	{kvault.UploadOptions{}, nil, func(t *testing.T, o any) error {
		_, err := newOn(t, mem.New(), nil).NewUpload(t.Context(), "k", o.(*kvault.UploadOptions))
		return err
	}},
	{kvault.RestoreOptions{}, []string{"BusyTimeout"}, func(t *testing.T, o any) error {
		dir := t.TempDir()
		v := openFile(t, filepath.Join(dir, "backup.kv"), nil)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		return kvault.Restore(t.Context(), filepath.Join(dir, "v.kv"), filepath.Join(dir, "backup.kv"), o.(*kvault.RestoreOptions))
	}},
	{kvault.CheckOptions{}, nil, nil},
	{kvault.CopyOptions{}, nil, nil},
	{kvault.MetadataOptions{}, nil, nil},
	{kvault.PrefixOptions{}, nil, nil},
	{kvault.PublishOptions{}, nil, nil},
	{kvault.RenameOptions{}, nil, nil},
	{kvault.SalvageOptions{}, nil, nil},
}

// TestOptions holds the rule of the package comment for every number in options: nil and zero are
// the default, and a negative number is none, or an error that names the field.
func TestOptions(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range optionCalls {
		typ := reflect.TypeOf(c.zero)
		tried[typ.Name()] = true
		if c.call == nil {
			c.call = func(t *testing.T, o any) error { return nil } // has no numbers
		}
		for what, o := range map[string]any{"nil": reflect.Zero(reflect.PointerTo(typ)).Interface(), "zero": reflect.New(typ).Interface()} {
			if err := c.call(t, o); err != nil {
				t.Errorf("%v, %s: %v", typ, what, err)
			}
		}
		for f := range typ.Fields() {
			if f.Type.Kind() != reflect.Int && f.Type.Kind() != reflect.Int64 {
				continue
			}
			o := reflect.New(typ)
			o.Elem().FieldByIndex(f.Index).SetInt(-7)
			err := c.call(t, o.Interface())
			if slices.Contains(c.negative, f.Name) {
				if err != nil {
					t.Errorf("%v.%s: %v", typ, f.Name, err)
				}
			} else if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), f.Name+" -7") {
				t.Errorf("%v.%s: error %v, want one that names it", typ, f.Name, err)
			}
		}
	}
	for _, name := range optionTypes(t) {
		if !tried[name] {
			t.Errorf("%s is not tried", name)
		}
	}
}

// optionTypes are the names of the package's types of options.
func optionTypes(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^type (\w*Options) struct`).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}
