package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// texts are all statements on a key-value table.
func (t *table) texts() (texts []string) {
	fields := reflect.ValueOf(t.sql)
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Kind() {
		case reflect.String:
			if f.String() != "" && f.String() != t.sql.foreign {
				texts = append(texts, f.String())
			}
		case reflect.Struct:
			texts = append(texts, f.Field(0).String(), f.Field(1).String())
		}
	}
	for _, end := range []string{"", "x"} {
		for _, reverse := range []bool{false, true} {
			for _, values := range []bool{false, true} {
				q := engine.Query{Range: engine.Range{End: end}, Reverse: reverse, Values: values}
				texts = append(texts, t.list(q), t.listKeys(q))
				q.Sizes = true
				texts = append(texts, t.list(q))
			}
		}
	}
	return texts
}

// No statement goes through a whole table, past the end of its range, or sorts, whatever SQLite
// knows of how the keys are spread.
func TestPlans(t *testing.T) {
	t.Parallel()
	const foreign = `CREATE TABLE kvault(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`
	for _, tt := range []struct {
		schema     string
		keys, size int
	}{{"", 0, 0}, {"", 5000, 10}, {"", 300, 30_000}, {foreign, 5000, 10}, {foreign, 300, 30_000}} {
		for _, analyzed := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "v.kv")
			if tt.schema != "" {
				makeWith(t, path, tt.schema)
			}
			s := openVault(t, path, nil)
			ops := make([]engine.Op, tt.keys)
			for i := range ops {
				ops[i] = engine.Op{Kind: engine.Put, Key: fmt.Sprintf("%08x", uint32(i)*2654435761), Value: make([]byte, tt.size)}
			}
			if _, err := s.Apply(t.Context(), ops); err != nil {
				t.Fatal(err)
			}
			if analyzed {
				if err := s.Optimize(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, text := range s.currentTable().texts() {
				plan := planOf(t, s, text)
				for _, bad := range []string{"SCAN", "TEMP B-TREE"} {
					if strings.Contains(plan, bad) {
						t.Errorf("%+v, analyzed %t: %s: %s", tt, analyzed, text, plan)
					}
				}
				if strings.Contains(text, "key < ?2") && !strings.Contains(plan, "key<?") {
					t.Errorf("%+v, analyzed %t: %s: goes past the end: %s", tt, analyzed, text, plan)
				}
			}
		}
	}
}

// makeWith makes a database as another program might.
func makeWith(t testing.TB, path, schema string) {
	t.Helper()
	c, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true})
	if err == nil {
		err = errors.Join(c.Exec(schema), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func planOf(t *testing.T, s *Store, text string) (plan string) {
	t.Helper()
	err := s.read(context.Background(), s.reads, true, func(ses *session) error {
		st, err := ses.c.Prepare(`EXPLAIN QUERY PLAN ` + text)
		if err != nil {
			return err
		}
		defer st.Reset()
		for {
			row, err := st.Step()
			if err != nil || !row {
				return err
			}
			plan += st.ColString(3) + "; "
		}
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return plan
}
