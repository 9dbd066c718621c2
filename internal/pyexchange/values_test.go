//go:build python

package pyexchange

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// A value in chunk rows is never an empty or a shortened value there: versions that know headers
// raise an error, and those before give the 42 bytes of the reference, which is what the row holds.
func TestChunkRows(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		d, path := v.start(t), newPath(t)
		vault := open(t, path, &kvault.Options{OneRowLimit: 1000})
		value := bytes.Repeat([]byte("0123456789"), 500)
		must(t, vault.Put(t.Context(), "large", value))
		must(t, vault.Put(t.Context(), "small", []byte("small")))
		stored := query(t, path, `SELECT hex(value) FROM kvault WHERE key = x'6c61726765'`)

		d.do(t, "open", args{"path": path, "table": "kvault", "auto": true}, nil)
		if v.typed {
			if text := d.refuses(t, "get", args{"key": []byte("large")}); !strings.Contains(text, "encoding") {
				t.Errorf("it says %s", text)
			}
		} else {
			var got []byte
			d.do(t, "get", args{"key": []byte("large")}, &got)
			if fmt.Sprintf("%X", got) != stored || len(got) != 42 {
				t.Errorf("%x, want the reference %s", got, stored)
			}
		}
		var n int // streamed out, it is the reference in all versions
		d.do(t, "get_file", args{"key": []byte("large"), "path": filepath.Join(t.TempDir(), "out")}, &n)
		if n != 42 {
			t.Errorf("%d bytes were streamed", n)
		}
		var small []byte
		d.do(t, "get", args{"key": []byte("small")}, &small)
		if string(small) != "small" {
			t.Errorf("small is %q there", small)
		}

		// Replaced there, it is theirs, and its chunks are swept; removed there, it is gone.
		d.do(t, "put", args{"key": []byte("large"), "value": []byte("theirs")}, nil)
		must(t, vault.Put(t.Context(), "other", value))
		var there bool
		d.do(t, "delete", args{"key": []byte("other")}, &there)
		d.do(t, "close", nil, nil)
		values{"large": []byte("theirs"), "small": []byte("small")}.ours(t, vault)
		must(t, vault.Optimize(t.Context(), nil))
		if got := query(t, path, `SELECT count(*) FROM kvault_chunks`); !there || got != "0" {
			t.Errorf("%s chunks are left", got)
		}
		check(t, vault, path)
	})
}

// layouts are the tables of the versions of the layout; what makes it, if it is not the present one.
var layouts = map[string]string{"2": "", "1": `CREATE TABLE kvault(id INTEGER PRIMARY KEY,
	key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL)`}

// Whatever the package does to a row of either layout, by INSERT, UPDATE, REPLACE, an upsert of
// zeros that a stream then fills, or DELETE: nobody believes the metadata of what was there before,
// nothing is taken for damage, and chunks are neither lost nor left over.
func TestWritesOfPackage(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		for layout, sql := range layouts {
			t.Run("layout "+layout, func(t *testing.T) { writesOfPackage(t, v, layout, sql) })
		}
	})
}

func writesOfPackage(t *testing.T, v *version, layout, sql string) {
	d, path, file := v.start(t), newPath(t), files(t)
	if sql != "" {
		c := connect(t, path)
		must(t, c.Exec(sql))
		must(t, c.Close())
	}
	vault := open(t, path, &kvault.Options{OneRowLimit: 1000})
	m, tags := values{}, map[string]string{}
	for _, op := range []string{"leave", "put", "put_file", "delete"} {
		for kind, size := range map[string]int{"small": 20, "large": 5000} {
			key := op + " " + kind
			m[key] = bytes.Repeat([]byte(kind), size/5)
			o := &kvault.PutOptions{ContentType: "of/us", User: map[string]string{"by": "us"}}
			e, err := vault.PutWith(t.Context(), key, m[key], o)
			must(t, err)
			tags[key] = e.Tag
		}
	}
	d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
	theirs := []byte("a value of the package")
	for _, kind := range []string{"small", "large", "new"} {
		d.do(t, "put", args{"key": []byte("put " + kind), "value": theirs}, nil)
		m["put "+kind] = theirs
		if !v.noStreams {
			d.do(t, "put_file", args{"key": []byte("put_file " + kind), "path": file(theirs)}, nil)
			m["put_file "+kind] = theirs
		}
		d.do(t, "delete", args{"key": []byte("delete " + kind)}, nil)
		delete(m, "delete "+kind)
	}
	d.do(t, "close", nil, nil)
	for _, when := range []string{layout, "2"} { // the second after an upgrade and a sweep
		m.ours(t, vault)
		for key, value := range m {
			e, err := vault.Stat(t.Context(), key)
			must(t, err)
			if left := !bytes.Equal(value, theirs); left != (e.Tag != "") || left && e.Tag != tags[key] {
				t.Errorf("%s: %+v; it had tag %s", key, e, tags[key])
			} else if !left && (e.HasChecksum || !e.ModTime.IsZero() || e.ContentType != "" || e.User != nil) {
				t.Errorf("%s: metadata is believed: %+v", key, e)
			}
		}
		check(t, vault, path)
		stats, err := vault.Stats(t.Context())
		if must(t, err); stats.Detail["layout version"] != when {
			t.Errorf("layout %s, want %s", stats.Detail["layout version"], when)
		}
		must(t, vault.Optimize(t.Context(), nil))
	}
	want := "leave large"
	if v.noStreams { // which has left one more alone
		want += "\nput_file large"
	}
	if got := query(t, path, `SELECT CAST(key AS TEXT) FROM kvault_values UNION ALL SELECT id FROM kvault_orphans UNION ALL
		SELECT id FROM kvault_chunks WHERE id >> 28 NOT IN (SELECT id FROM kvault_values) ORDER BY 1`); got != want {
		t.Errorf("values in chunk rows, and what is left over: %q, want %q", got, want)
	}
}

// The reference in a row that the package copied to another key is reported, and never passes for
// the value.
func TestCopiedReference(t *testing.T) {
	v := versions[1]
	d, path := v.start(t), newPath(t)
	vault := open(t, path, &kvault.Options{OneRowLimit: 1000})
	must(t, vault.Put(t.Context(), "large", make([]byte, 5000)))
	var reference []byte
	d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
	d.do(t, "get", args{"key": []byte("large")}, &reference)
	d.do(t, "put", args{"key": []byte("copy"), "value": reference}, nil)
	d.do(t, "close", nil, nil)
	_, err := vault.Get(t.Context(), "copy")
	wantErr(t, err, kvault.ErrCorrupt)
	if got, err := vault.Get(t.Context(), "large"); err != nil || len(got) != 5000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	must(t, vault.Put(t.Context(), "copy", reference)) // bytes like any others, put here
	if got, err := vault.Get(t.Context(), "copy"); err != nil || !bytes.Equal(got, reference) {
		t.Errorf("%x, %v", got, err)
	}
}

// Bytes that begin like a header, or are one, come back as they are in both directions, from every
// version but those that know headers: these take them for what they look like, unless their
// automatic packing is switched off.
func TestMagic(t *testing.T) {
	r := source{Rand: rand.New(rand.NewPCG(3, 3))}
	header := []byte{0x89, 0x4B, 1, 0, 0, 0, 0, 0, 0x56, 0x4B}
	with := func(at int, b byte) []byte { h := append(bytes.Clone(header), "text"...); h[at] = b; return h }
	cases := []struct {
		name  string
		value []byte
		// what a typed version answers: the bytes, others, or an error with this in it
		gives []byte
		says  string
	}{
		{name: "magic only", value: []byte{0x89, 0x4B}, gives: []byte{0x89, 0x4B}},
		{name: "nine bytes", value: header[:9], gives: header[:9]},
		{name: "magic and noise", value: append([]byte{0x89, 0x4B}, bytes.Repeat([]byte{7}, 40)...), says: "closing magic"},
		{name: "raw", value: with(3, 0), gives: []byte("text")},
		{name: "text", value: with(3, 6), says: "decoded as 'text'"},
		{name: "unknown encoding", value: with(3, 99), says: "encoding"},
		{name: "version", value: with(2, 9), says: "version"},
		{name: "reserved", value: with(6, 1), says: "reserved"},
		{name: "a stream", value: append([]byte{0x89, 0x4B}, r.bytes(3<<20)...), says: "closing magic"},
	}
	eachVersion(t, func(t *testing.T, v *version) {
		d, path, file := v.start(t), newPath(t), files(t)
		m := values{}
		vault, err := kvault.Open(t.Context(), path, nil)
		must(t, err)
		for _, c := range cases {
			m["ours/"+c.name], m["theirs/"+c.name], m["streamed/"+c.name] = c.value, c.value, c.value
			must(t, vault.Put(t.Context(), "ours/"+c.name, c.value))
		}
		must(t, vault.Close())
		d.do(t, "open", args{"path": path, "table": "kvault", "auto": true}, nil)
		for _, c := range cases {
			d.do(t, "put", args{"key": []byte("theirs/" + c.name), "value": c.value}, nil)
			if v.noStreams {
				d.do(t, "put", args{"key": []byte("streamed/" + c.name), "value": c.value}, nil)
			} else {
				d.do(t, "put_file", args{"key": []byte("streamed/" + c.name), "path": file(c.value)}, nil)
			}
		}
		m.ours(t, open(t, path, nil))
		for _, maker := range []string{"ours/", "theirs/", "streamed/"} {
			for _, c := range cases {
				var got []byte
				err := d.try("get", args{"key": []byte(maker + c.name)}, &got)
				want := c.value
				if v.typed {
					want = c.gives
				}
				if v.typed && c.says != "" {
					if err == nil || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%s%s: %x, %v; want an error that says %s", maker, c.name, got, err, c.says)
					}
				} else if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s%s: %.40x, %v; want %.40x", maker, c.name, got, err, want)
				}
			}
		}
		d.do(t, "close", nil, nil)
		d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
		m.theirs(t, d)
		d.do(t, "close", nil, nil)
	})
}

// The versions do not write each other's files, and ours are written by all. Files with a column
// size, of 0.5 and before, are refused by later ones, and the other way round, both with an error.
func TestAcrossVersions(t *testing.T) {
	sized, later := versions[1], versions[3]
	for _, c := range []struct {
		maker, user *version
		says        string
	}{{sized, later, "NOT NULL"}, {later, sized, "size"}} {
		path, maker, user := newPath(t), c.maker.start(t), c.user.start(t)
		maker.do(t, "open", args{"path": path}, nil)
		maker.do(t, "put", args{"key": []byte("k"), "value": []byte("v")}, nil)
		maker.do(t, "close", nil, nil)
		user.do(t, "open", args{"path": path}, nil)
		if text := user.refuses(t, "put", args{"key": []byte("n"), "value": []byte("v")}); !strings.Contains(text, c.says) {
			t.Errorf("%s on a file of %s says %s", c.user.name, c.maker.name, text)
		}
		user.do(t, "close", nil, nil)
	}
	path := newPath(t)
	m := values{}
	vault := open(t, path, nil)
	for _, v := range versions {
		d := v.start(t)
		d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
		m.theirs(t, d)
		for _, key := range []string{"by " + v.name, "by all"} {
			d.do(t, "put", args{"key": []byte(key), "value": []byte(v.name)}, nil)
			m[key] = []byte(v.name)
		}
		d.do(t, "close", nil, nil)
		// What each adds to the file when it opens it.
		if got := schema(t, path, "kvault_key_idx") != ""; !got { // the first is 0.2
			t.Errorf("%s: no second index", v.name)
		}
		if got := schema(t, path, "kohakuvault_meta") != ""; got != v.typed {
			t.Errorf("%s: kohakuvault_meta there: %v", v.name, got)
		}
		must(t, vault.Put(t.Context(), "ours", []byte(v.name)))
		m["ours"] = []byte(v.name)
		m.ours(t, vault)
	}
	check(t, vault, path)
}

// The package takes an empty key, which is invalid here. Such a row is listed and counted, and goes
// with Clear.
func TestEmptyKey(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		d, path := v.start(t), newPath(t)
		d.do(t, "open", args{"path": path}, nil)
		d.do(t, "put", args{"key": []byte{}, "value": []byte("of the empty key")}, nil)
		d.do(t, "put", args{"key": []byte("k"), "value": []byte("v")}, nil)
		d.do(t, "close", nil, nil)
		vault := open(t, path, nil)
		_, err := vault.Get(t.Context(), "")
		wantErr(t, err, kvault.ErrInvalid)
		var keys []string
		for item, err := range vault.Items(t.Context(), nil) {
			must(t, err)
			keys = append(keys, item.Key+"="+string(item.Value))
		}
		if got := strings.Join(keys, " "); got != "=of the empty key k=v" {
			t.Errorf("%s", got)
		}
		check(t, vault, path)
		if n, err := vault.Clear(t.Context()); err != nil || n != 2 {
			t.Errorf("%d keys removed, %v", n, err)
		}
	})
}
