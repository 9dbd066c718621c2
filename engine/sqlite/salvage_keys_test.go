package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

const keyPage = 512

// madeOf writes a vault with the given values, in this order, and returns its bytes.
func madeOf(t *testing.T, o sqlite.Options, keys ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	o.PageSize = keyPage
	s := open(t, path, &o)
	for _, key := range keys {
		put(t, s, key, valueOf(key))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return must[[]byte](t)(os.ReadFile(path))
}

func valueOf(key string) []byte {
	if strings.HasPrefix(key, "large") {
		return bytes.Repeat([]byte(key), 1000)
	}
	return []byte("value of it: " + strings.ToUpper(key))
}

func numbered(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("key%03d", i))
	}
	return keys
}

// The kinds of page.
const indexLeaf, tableInner, tableLeaf = 0x0a, 0x05, 0x0d

// place returns where a text lies on a page of a kind.
func place(t *testing.T, data []byte, kind byte, text string) int {
	t.Helper()
	for from := 0; ; from++ {
		i := bytes.Index(data[from:], []byte(text))
		if i < 0 {
			t.Fatalf("%q is on no page of kind %x", text, kind)
		}
		if from += i; data[from/keyPage*keyPage] == kind {
			return from
		}
	}
}

// wipe clears the page that a place lies on, and returns what was there.
func wipe(data []byte, at int) []byte {
	page := data[at/keyPage*keyPage:][:keyPage]
	before := bytes.Clone(page)
	clear(page)
	return before
}

// salvageBytes salvages data, and returns the values of the new vault and what was told.
func salvageBytes(t *testing.T, data []byte) (map[string]string, *sqlite.SalvageReport, []engine.Loss) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hurt.kv")
	write(t, path, data)
	var losses []engine.Loss
	dst := filepath.Join(t.TempDir(), "new.kv")
	report := must[*sqlite.SalvageReport](t)(sqlite.Salvage(t.Context(), path, dst, &sqlite.SalvageOptions{OnLoss: func(l engine.Loss) { losses = append(losses, l) }}))
	values := map[string]string{}
	for _, item := range must[engine.Page](t)(open(t, dst, nil).List(t.Context(), engine.Query{Limit: 1000, Values: true})).Items {
		values[item.Key] = string(item.Value)
	}
	return values, report, losses
}

func holds(t *testing.T, got map[string]string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if got[key] != string(valueOf(key)) {
			t.Errorf("%s came back as %d bytes, want %d", key, len(got[key]), len(valueOf(key)))
		}
	}
	if len(got) != len(keys) {
		t.Errorf("%d values, want %d", len(got), len(keys))
	}
}

// Where a page of the index of keys is lost, the keys that were on it are told doubtful, and no
// others. So an altered one is among them.
func TestSalvageUnconfirmedKeys(t *testing.T) {
	keys := numbered(200)
	data := madeOf(t, sqlite.Options{}, keys...)
	page := wipe(data, place(t, data, indexLeaf, "key100"))
	data[place(t, data, tableLeaf, "key100")+5] = '@' // one bit off
	keys[100] = "key10@"
	want := map[string]bool{"key10@": true}
	for _, key := range keys {
		want[key] = want[key] || bytes.Contains(page, []byte(key))
	}
	got, report, losses := salvageBytes(t, data)
	if got["key10@"] != string(valueOf("key100")) || len(got) != 200 {
		t.Errorf("%d values, key10@ is %q", len(got), got["key10@"])
	}
	altered := false
	for _, l := range losses {
		if !l.Copied || !want[l.Key] || !strings.Contains(l.Err.Error(), "no entry of the index") {
			t.Errorf("told: %v", l)
		}
		altered = altered || l.Key == "key10@"
	}
	if n := int64(len(losses)); !altered || report.Unconfirmed != n || report.Doubts != n || report.Losses != n || n < 5 || n > 60 {
		t.Errorf("%+v, %d told, the altered one among them: %v", report, len(losses), altered)
	}
}

// If nothing is left of the index, one line says so.
func TestSalvageWithoutIndexOfKeys(t *testing.T) {
	keys := numbered(20)
	data := madeOf(t, sqlite.Options{}, keys...)
	wipe(data, place(t, data, indexLeaf, "key010"))
	got, report, losses := salvageBytes(t, data)
	holds(t, got, keys...)
	if len(losses) != 1 || !losses[0].Copied || losses[0].Key != "" || !strings.Contains(losses[0].String(), "nothing confirms 20 of its keys") {
		t.Errorf("told: %v", losses)
	}
	if report.Unconfirmed != 20 || report.Doubts != 1 || report.Losses != 1 {
		t.Errorf("%+v", report)
	}
}

// A row that was altered to the key of another does not take its place, whether the index is whole
// or not.
func TestSalvageKeyOfAnother(t *testing.T) {
	for _, whole := range []bool{true, false} {
		keys := append(numbered(100), "key101", "key100")
		data := madeOf(t, sqlite.Options{}, keys...)
		data[place(t, data, tableLeaf, "key101")+5] = '0'
		if !whole {
			wipe(data, place(t, data, indexLeaf, "key101"))
		}
		got, _, losses := salvageBytes(t, data)
		if !whole { // which of the two is right cannot be told if both are unconfirmed, but that is told
			if !slices.ContainsFunc(losses, func(l engine.Loss) bool { return l.Key == "key100" && l.Copied }) {
				t.Errorf("told: %v", losses)
			}
			continue
		}
		holds(t, got, append(numbered(100), "key100")...)
		if len(losses) != 2 || losses[0].Key != "" || !strings.Contains(losses[0].String(), `second row with the key "key100"`) || losses[1].Key != "key101" || losses[1].Copied {
			t.Errorf("told: %v", losses)
		}
	}
}

// A key whose class was altered is still the key that the index and the metadata know.
func TestSalvageClassOfKey(t *testing.T) {
	for _, whole := range []bool{true, false} {
		data := madeOf(t, sqlite.Options{}, "key1", "key2")
		at := bytes.Index(data, []byte("\x0b\x00\x14\x01")) // the header of the first row: a key of 4 bytes
		if at < 0 {
			t.Fatal("no such row")
		}
		data[at+2]++ // the same bytes as text
		if !whole {
			wipe(data, place(t, data, indexLeaf, "key1"))
		}
		got, report, _ := salvageBytes(t, data)
		holds(t, got, "key1", "key2")
		if (report.Losses == 0) != whole || report.Unconfirmed != 2*report.Losses {
			t.Errorf("%+v", report)
		}
	}
}

// The key of a large value is in its record, too.
func TestSalvageKeyOfLarge(t *testing.T) {
	const key = "large-1"
	row, record := key+"\x1b\x58", "kvault"+key // in the row, the size follows the key
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, data []byte)
		key    string
		told   string // of it
	}{
		{"index lost", func(t *testing.T, data []byte) { wipe(data, place(t, data, indexLeaf, key)) }, key, ""},
		{"record altered", func(t *testing.T, data []byte) { data[place(t, data, tableLeaf, record)+len(record)-1] = '3' }, key, `chunk rows has the key "large-3"`},
		{"row altered", func(t *testing.T, data []byte) { data[place(t, data, tableLeaf, row)+len(key)-1] = '3' }, key, `its row has the key "large-3"`},
		{"row altered, index lost", func(t *testing.T, data []byte) {
			data[place(t, data, tableLeaf, row)+len(key)-1] = '3'
			wipe(data, place(t, data, indexLeaf, key))
		}, key, `its row has the key "large-3"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := madeOf(t, sqlite.Options{OneRowLimit: 1000}, key)
			c.damage(t, data)
			got, report, losses := salvageBytes(t, data)
			holds(t, got, key)
			if c.told == "" && len(losses) > 0 || c.told != "" && (len(losses) == 0 || !losses[0].Copied || !strings.Contains(losses[0].String(), c.told)) {
				t.Errorf("told: %v, %+v", losses, report)
			}
		})
	}
}

// The name of an array is in the index of names, too.
func TestSalvageNameOfArray(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{PageSize: keyPage})
	put(t, s, "key", valueOf("key"))
	putArray(t, s, "array1", noise(1000))
	putArray(t, s, "array2", noise(1000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := must[[]byte](t)(os.ReadFile(path))
	data[place(t, data, tableLeaf, "array2")+5] = '3'
	_, _, losses := salvageBytes(t, data)
	if len(losses) != 1 || losses[0].Column != "array3" || !losses[0].Copied || !strings.Contains(losses[0].String(), `under "array2"`) {
		t.Errorf("told: %v", losses)
	}
	for bytes.Contains(data, []byte("array1")) { // both indexes, and what else there is of the name
		at := bytes.Index(data, []byte("array1"))
		if data[at/keyPage*keyPage] == tableLeaf {
			copy(data[at:], "array0")
			continue
		}
		wipe(data, at)
	}
	_, _, losses = salvageBytes(t, data)
	if len(losses) != 2 || losses[0].Column != "array0" || !losses[0].Copied || !strings.Contains(losses[0].String(), "no entry of the index of names") {
		t.Errorf("without the index: told: %v", losses)
	}
}

// The text of a table in the schema is damaged.
func TestSalvageDamagedText(t *testing.T) {
	t.Parallel()
	v := makeOriginal(t, sqlite.Options{PageSize: keyPage, OneRowLimit: 3000})
	for _, c := range [][2]string{
		{"user TEXT, value", "user TEXT. value"},
		{"stage INTEGER", "stagf INTEGER"},
		{"tablekvault_kvforeignkvault_kvforeign", "tablekvault_kvforeignkvault_kvforeigm"},
		{"TABLE col_chunks(", "TABLE col_chunks\x08"},
		{"TABLE col_meta(", "TABLE col_meta\x08"},
		{"min_chunk_bytes INTEGER", "min_chunk_bytes\x00INTEGER"},
		{"key BLOB NOT NULL UNIQUE", "key BLOB NOT NULL UNIQUD"},
		{"tablekvaultkvault", "tablekvauntkvault"},
	} {
		out := v.salvage(t, c[1], true, func(data []byte) []byte {
			if !bytes.Contains(data, []byte(c[0])) {
				t.Errorf("%q is not there", c[0])
			}
			return bytes.Replace(data, []byte(c[0]), []byte(c[1]), 1)
		})
		if out.failed != nil || out.keys != len(v.values) || out.arrays != len(v.arrays) || out.report.Losses > 0 {
			t.Errorf("%s: %+v of %d values", c[1], out, len(v.values))
		}
	}
}

// A page of a tree that does not say where one of the pages below it is hides no more than that
// one, and not in silence.
func TestSalvageLostPointer(t *testing.T) {
	t.Parallel()
	v := makeOriginal(t, sqlite.Options{PageSize: keyPage, OneRowLimit: 3000})
	tried := 0
	for at := keyPage; at < len(v.data); at += keyPage {
		cells := int(binary.BigEndian.Uint16(v.data[at+3:]))
		if v.data[at] != tableInner || cells == 0 || cells > 100 {
			continue
		}
		tried++
		for i := range min(cells, 3) {
			v.salvage(t, fmt.Sprintf("page %d, cell %d", at/keyPage+1, i), true, func(data []byte) []byte {
				binary.BigEndian.PutUint16(data[at+12+2*i:], 0xffff)
				return data
			})
			if t.Failed() {
				return
			}
		}
	}
	if tried < 3 {
		t.Errorf("only %d pages", tried)
	}
}
