package reliability

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"maps"
	"slices"
	"strings"
)

// hostileFile is a vault that somebody altered, or, if foreign, made from nothing.
type hostileFile struct {
	name    string
	foreign bool
	tables  []string // to be opened beside the default
	sql     []string
}

const (
	kvColumns  = `(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL)`
	bomb       = `hex(zeroblob(30000000))`
	someRows   = `INSERT INTO kvault(key, value) VALUES(x'61', x'62'), (x'63', x'64')`
	writeable  = `PRAGMA writable_schema=1`
	hugeNumber = `4611686018427387904`
)

// hostileFiles are all of them.
func hostileFiles() []hostileFile {
	all := []hostileFile{{name: "nothing is wrong"}}
	all = append(all, hostileSchemas()...)
	all = append(all, hostileTables()...)
	all = append(all, hostileRows()...)
	all = append(all, hostileReferences()...)
	return append(all, hostileColumns()...)
}

// hostileSchemas put something else in the place of a table, or something active beside it.
func hostileSchemas() (all []hostileFile) {
	for _, name := range []string{"kvault", "kvault_values", "kvault_chunks", "kvault_orphans", "kvault_layout", "kvault_kvforeign", "col_meta", "col_chunks"} {
		all = append(all, hostileFile{name: "view " + name, sql: []string{`PRAGMA foreign_keys=0`, `ALTER TABLE ` + name + ` RENAME TO real_` + name,
			`CREATE VIEW ` + name + ` AS SELECT * FROM real_` + name}},
			hostileFile{name: "dropped " + name, sql: []string{`PRAGMA foreign_keys=0`, `DROP TABLE ` + name}},
			hostileFile{name: "other columns " + name, sql: []string{`PRAGMA foreign_keys=0`, `DROP TABLE ` + name, `CREATE TABLE ` + name + `(x, y DEFAULT (` + bomb + `))`,
				`INSERT INTO ` + name + `(x) VALUES(1)`}},
			hostileFile{name: "index " + name, sql: []string{`PRAGMA foreign_keys=0`, `ALTER TABLE ` + name + ` RENAME TO real_` + name,
				`CREATE INDEX ` + name + ` ON real_` + name + `(1)`}},
			hostileFile{name: "without rowid " + name, sql: []string{`PRAGMA foreign_keys=0`, `DROP TABLE ` + name,
				`CREATE TABLE ` + name + `(id INTEGER PRIMARY KEY, key, value, size, name, nonce, chunk_bytes, sum, tbl, owner, beat, data, col_id, dtype, elem_size, length,
				min_chunk_bytes, max_chunk_bytes, chunk_idx, actual_size, bytes_used, has_deleted, tag, mtime, stage, type, user) WITHOUT ROWID`}},
			hostileFile{name: "fts5 " + name, sql: []string{`PRAGMA foreign_keys=0`, `DROP TABLE ` + name, writeable,
				`INSERT INTO sqlite_schema VALUES('table', '` + name + `', '` + name + `', 0, 'CREATE VIRTUAL TABLE ` + name + ` USING fts5(key, value)')`}},
			hostileFile{name: "rtree " + name, sql: []string{`PRAGMA foreign_keys=0`, `DROP TABLE ` + name, writeable,
				`INSERT INTO sqlite_schema VALUES('table', '` + name + `', '` + name + `', 0, 'CREATE VIRTUAL TABLE ` + name + ` USING rtree(id, key, value)')`}},
			hostileFile{name: "recursive trigger " + name, sql: []string{`CREATE TRIGGER t1 AFTER INSERT ON ` + name + ` BEGIN INSERT INTO ` + name + ` SELECT * FROM ` + name + `; DELETE FROM kvault; END`,
				`CREATE TRIGGER t2 BEFORE UPDATE ON ` + name + ` BEGIN SELECT RAISE(IGNORE); END`, `CREATE TRIGGER t3 BEFORE DELETE ON ` + name + ` BEGIN SELECT RAISE(ROLLBACK, 'no'); END`}},
			hostileFile{name: "expression index " + name, sql: []string{`CREATE INDEX bomb ON ` + name + `(length(` + bomb + `))`}},
		)
	}
	return append(all,
		hostileFile{name: "view with triggers", foreign: true, sql: []string{`CREATE TABLE real` + kvColumns, `CREATE VIEW kvault AS SELECT * FROM real`,
			`CREATE TRIGGER t INSTEAD OF INSERT ON kvault BEGIN DELETE FROM real; END`}},
		hostileFile{name: "endless view", foreign: true, sql: []string{`CREATE VIEW kvault AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM n) SELECT id, CAST(id AS BLOB) AS key, x'' AS value FROM n`}},
		hostileFile{name: "schema in UTF-16", foreign: true, sql: []string{`PRAGMA encoding='UTF-16le'`, `CREATE TABLE kvault` + kvColumns, someRows}},
		hostileFile{name: "thousands of tables", foreign: true, sql: append([]string{`CREATE TABLE kvault` + kvColumns, someRows}, repeated(3000, `CREATE TABLE "t%d"(x)`)...)},
		hostileFile{name: "a schema of megabytes", sql: []string{`CREATE TABLE huge(x /* ` + strings.Repeat("comment ", 1<<17) + ` */)`}},
		hostileFile{name: "SQL that is none", sql: []string{writeable, `UPDATE sqlite_schema SET sql = 'CREATE TABLE kvault(' WHERE name = 'kvault'`}},
		hostileFile{name: "root pages of others", sql: []string{writeable, `UPDATE sqlite_schema SET rootpage = (SELECT max(rootpage) FROM sqlite_schema) WHERE type = 'table'`}},
		hostileFile{name: "impossible root pages", sql: []string{writeable, `UPDATE sqlite_schema SET rootpage = 99999999 WHERE type = 'table'`}},
		hostileFile{name: "no root pages", sql: []string{writeable, `UPDATE sqlite_schema SET rootpage = 0`}},
		hostileFile{name: "index in place of the table", sql: []string{writeable, `UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_kvault_1') WHERE name = 'kvault'`}},
		hostileFile{name: "layout of the future", sql: []string{`UPDATE kvault_layout SET value = '99'`}},
		hostileFile{name: "layout that is no number", sql: []string{`UPDATE kvault_layout SET value = x'ff00'`}},
		hostileFile{name: "no layout", sql: []string{`DELETE FROM kvault_layout`}},
	)
}

// repeated makes many statements that differ in a number.
func repeated(n int, format string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

// hostileTables are key-value tables that do something when they are used.
func hostileTables() (all []hostileFile) {
	for name, columns := range sorted(map[string]string{
		"generated value":           `(id INTEGER PRIMARY KEY, key BLOB, value BLOB AS (zeroblob(900000000)))`,
		"generated value, computed": `(id INTEGER PRIMARY KEY, key BLOB, value BLOB AS (CAST(` + bomb + ` AS BLOB)))`,
		"generated key":             `(id INTEGER PRIMARY KEY, key BLOB AS (CAST(` + bomb + ` AS BLOB)), value BLOB)`,
		"generated size":            `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, size INTEGER AS (length(` + bomb + `)), value BLOB)`,
		"stored column":             `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, x AS (` + bomb + `) STORED, value BLOB)`,
		"checked by a bomb":         `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB CHECK(length(` + bomb + `) > 0))`,
		"checked by no":             `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB CHECK(length(value) = 1))`,
		"defaults of a bomb":        `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, other DEFAULT (` + bomb + `), value BLOB)`,
		"strict":                    `(id INTEGER PRIMARY KEY, key BLOB, value BLOB) STRICT`,
		"key and value alone":       `(key BLOB, value BLOB)`,
		"id that is no row id":      `(id INT PRIMARY KEY, key BLOB UNIQUE, value BLOB)`,
		"numbers":                   `(id INTEGER PRIMARY KEY, key NUMERIC UNIQUE, value NUMERIC)`,
		"case and quotes":           `("ID" INTEGER PRIMARY KEY, "KEY" BLOB UNIQUE COLLATE NOCASE, "VALUE" BLOB COLLATE RTRIM)`,
		"not unique":                `(id INTEGER PRIMARY KEY, key BLOB, value BLOB)`,
		"replaces on conflict":      `(id INTEGER PRIMARY KEY, key BLOB UNIQUE ON CONFLICT REPLACE, value BLOB NOT NULL ON CONFLICT IGNORE)`,
		"ignores conflicts":         `(id INTEGER PRIMARY KEY ON CONFLICT IGNORE, key BLOB UNIQUE ON CONFLICT IGNORE, value BLOB UNIQUE ON CONFLICT IGNORE)`,
		"refers to itself":          `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB, other REFERENCES kvault(id) ON DELETE CASCADE DEFAULT 1)`,
		"many columns":              `(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB, ` + strings.Join(repeated(1900, `c%d`), ",") + `)`,
	}) {
		rows := `VALUES(x'61', x'6263'), (x'64', x'00'), (x'61', x'64')`
		if strings.Contains(columns, "value BLOB AS") {
			rows = `VALUES(x'61'), (x'64')`
		}
		if strings.Contains(columns, "key BLOB AS") {
			rows = `VALUES(1, x'00')` // into the id
		}
		all = append(all, hostileFile{name: "table, " + name, foreign: true, sql: []string{`CREATE TABLE kvault` + columns,
			`INSERT OR IGNORE INTO kvault(` + insertable(columns) + `) ` + rows}})
	}
	for _, name := range []string{`a"b`, `a'b`, `x y`, "", `--`, `/*`, strings.Repeat("n", 5000), "tab\tle", "кот", "sqlite", `kvault"; DROP TABLE kvault; --`, `]`, "[a", "`"} {
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		all = append(all, hostileFile{name: fmt.Sprintf("table named %.20q", name), tables: []string{name},
			sql: []string{`CREATE TABLE ` + quoted + kvColumns, `INSERT INTO ` + quoted + `(key, value) VALUES(x'61', x'62')`,
				`INSERT INTO kvault_values(nonce, chunk_bytes, size, sum, tbl, key, beat) VALUES(1, 1, 1, 1, '` + strings.ReplaceAll(name, "'", "''") + `', x'61', 0)`,
				`INSERT OR IGNORE INTO kvault_orphans SELECT id FROM kvault_values`}})
	}
	return all
}

// sorted goes through a map in order, so that all processes number the files alike.
func sorted(m map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// insertable are the columns of a table that can be given values.
func insertable(columns string) string {
	key := "key"
	if strings.Contains(columns, "key BLOB AS") {
		key = "id"
	}
	if strings.Contains(columns, "value BLOB AS") {
		return key
	}
	return key + ", value"
}

// believed has metadata that another program changed pass for true.
const believed = `; DELETE FROM kvault_kvforeign`

// hostileRows put odd things into the tables that are there.
func hostileRows() (all []hostileFile) {
	for name, sql := range sorted(map[string]string{
		"an enormous key":         `INSERT INTO kvault(key, value) VALUES(zeroblob(20000000), x'00')`,
		"many long keys":          `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO kvault(key, value) SELECT CAST(i || hex(zeroblob(50000)) AS BLOB), x'' FROM n`,
		"an empty key":            `INSERT INTO kvault(key, value) VALUES(x'', x'00')`,
		"keys of other types":     `INSERT INTO kvault(key, value) VALUES('text', x'00'), (1, 2), (1.5, 'x')`,
		"the last row id":         `INSERT INTO kvault(id, key, value) VALUES(9223372036854775807, x'00', x'00')`,
		"the first row id":        `INSERT INTO kvault(id, key, value) VALUES(-9223372036854775808, x'00', x'00')`,
		"metadata: deep JSON":     `UPDATE kvault SET user = replace(hex(zeroblob(5000000)), '00', '[')` + believed,
		"metadata: long JSON":     `UPDATE kvault SET user = '{"a":"' || hex(zeroblob(5000000)) || '"}'` + believed,
		"metadata: JSON of other": `UPDATE kvault SET user = '{"a":{"b":1}}'` + believed,
		"metadata: long type":     `UPDATE kvault SET type = hex(zeroblob(5000000))` + believed,
		"metadata: extreme times": `UPDATE kvault SET mtime = CASE id % 2 WHEN 0 THEN -9223372036854775808 ELSE 9223372036854775807 END` + believed,
		"metadata: other types":   `UPDATE kvault SET tag = 'x', mtime = x'00', sum = 1.5, stage = 'y'` + believed,
		"metadata: stages":        `UPDATE kvault SET stage = -1; INSERT OR IGNORE INTO kvault_orphans SELECT id FROM kvault_values` + believed,
		"orphans everywhere":      `INSERT OR IGNORE INTO kvault_orphans VALUES(-1), (0), (1), (2), (3), (4), (` + hugeNumber + `), (9223372036854775807), (-9223372036854775808)`,
		"stages of nobody":        `UPDATE kvault_values SET owner = 'a|b|c|d', beat = -9223372036854775808`,
		"stages of the future":    `UPDATE kvault_values SET owner = '|99999999999999999999|', beat = 9223372036854775807`,
		"stages of init":          `UPDATE kvault_values SET owner = (SELECT 'localhost|1|x'), beat = 9223372036854775807`,
		"ids at their end":        `UPDATE kvault_values SET id = 34359738367 WHERE id = (SELECT max(id) FROM kvault_values)`,
		"ids past their end":      `UPDATE kvault_values SET id = id + 34359738368`,
		"chunks of other types":   `UPDATE kvault_chunks SET data = 7`,
		"chunks of nothing":       `UPDATE kvault_chunks SET data = x''`,
		"chunks too long":         `UPDATE kvault_chunks SET data = zeroblob(20000000) WHERE id = (SELECT min(id) FROM kvault_chunks)`,
		"chunks of nobody":        `UPDATE kvault_chunks SET id = -id`,
		"values with no end":      `UPDATE kvault_values SET size = 9223372036854775807`,
		"user's version":          `PRAGMA user_version=-1; PRAGMA application_id=-1; PRAGMA schema_version=2147483647`,
		"sequence at its end":     `CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a VALUES(9223372036854775807)`,
	}) {
		all = append(all, hostileFile{name: "rows, " + name, sql: []string{sql}})
	}
	return all
}

// hostileReferences are values that claim to lie in chunks, with rows that bear them out.
func hostileReferences() (all []hostileFile) {
	for _, size := range []int64{-1, 0, 1, 1 << 20, 1<<28 - 1, 1 << 31, 1 << 40, 1 << 59, 1 << 62, 1<<63 - 1} {
		for _, chunk := range []uint32{0, 1, 5000, 1 << 30, 1<<32 - 1} {
			ref := []byte{0x89, 0x4B, 0x01, 0x7F, 0, 0, 0, 0, 0x56, 0x4B}
			ref = binary.LittleEndian.AppendUint64(ref, 1000)
			ref = binary.LittleEndian.AppendUint64(ref, uint64(size))
			ref = binary.LittleEndian.AppendUint32(ref, chunk)
			ref = binary.LittleEndian.AppendUint64(ref, 5)
			ref = binary.LittleEndian.AppendUint32(ref, crc32.Checksum(ref, crc32.MakeTable(crc32.Castagnoli)))
			all = append(all, hostileFile{name: fmt.Sprintf("reference to %d bytes in chunks of %d", size, chunk), sql: []string{
				fmt.Sprintf(`INSERT INTO kvault(key, value) VALUES(x'61', x'%x')`, ref),
				fmt.Sprintf(`INSERT INTO kvault_values(id, nonce, chunk_bytes, size, sum, tbl, key, beat) VALUES(1000, 5, %d, %d, 0, 'kvault', x'61', 0)`, chunk, size),
				`INSERT INTO kvault_chunks(id, sum, data) VALUES(1000 << 28, 0, zeroblob(5000)), (1000 << 28 | 1, 0, zeroblob(5000))`}})
		}
	}
	return all
}

// hostileColumns describe columns that cannot be.
func hostileColumns() (all []hostileFile) {
	numbers := []string{`0`, `1`, `-1`, `3`, `50000000`, `1099511627776`, `1152921504606846976`, hugeNumber, `9223372036854775807`, `-9223372036854775808`, `'text'`, `x'00'`, `1e300`}
	for _, column := range []string{"elem_size", "length", "min_chunk_bytes", "max_chunk_bytes", "chunk_bytes"} {
		for _, n := range numbers {
			all = append(all, hostileFile{name: "col_meta, " + column + " " + n, sql: []string{`UPDATE col_meta SET ` + column + ` = ` + n}})
		}
	}
	for _, column := range []string{"actual_size", "bytes_used", "chunk_idx"} {
		for _, n := range numbers {
			all = append(all, hostileFile{name: "col_chunks, " + column + " " + n, sql: []string{`UPDATE OR IGNORE col_chunks SET ` + column + ` = ` + n}})
		}
	}
	for name, sql := range sorted(map[string]string{
		"long names":             `UPDATE col_meta SET name = hex(zeroblob(1000000)) || col_id`,
		"names with NUL":         `UPDATE col_meta SET name = CAST(x'610062' || col_id AS TEXT)`,
		"empty names":            `UPDATE col_meta SET name = '' WHERE col_id = 1`,
		"names that are no text": `UPDATE col_meta SET name = x'ff' || col_id`,
		"long types":             `UPDATE col_meta SET dtype = hex(zeroblob(1000000))`,
		"fixed, enormous":        `UPDATE col_meta SET dtype = 'bytes:` + hugeNumber + `', elem_size = ` + hugeNumber + `, length = 1`,
		"fixed, large":           `UPDATE col_meta SET dtype = 'bytes:1099511627776', elem_size = 1099511627776, length = 1000`,
		"fixed, a gigabyte":      `UPDATE col_meta SET dtype = 'bytes:1073741824', elem_size = 1073741824, length = 1`,
		"fixed, large chunks":    `UPDATE col_meta SET min_chunk_bytes = 50000000, max_chunk_bytes = 50000000`,
		"fixed, larger chunks":   `UPDATE col_meta SET min_chunk_bytes = ` + hugeNumber + `, max_chunk_bytes = ` + hugeNumber,
		"elements of one bit":    `UPDATE col_meta SET min_chunk_bytes = 1, max_chunk_bytes = 1`,
		"lengths with no end":    `UPDATE col_meta SET length = ` + hugeNumber + ` / elem_size`,
		"length of billions":     `UPDATE col_meta SET length = 10000000000`,
		"fixed, negative":        `UPDATE col_meta SET dtype = 'bytes:-1'`,
		"index of the old form":  `UPDATE col_meta SET dtype = 'i64', elem_size = 8 WHERE name LIKE '%_idx'`,
		"old, lengths":           `UPDATE col_meta SET dtype = 'i64', elem_size = 8, length = ` + hugeNumber + ` / 8 WHERE name LIKE '%_idx'; UPDATE col_meta SET length = ` + hugeNumber + ` WHERE name LIKE '%_data'`,
		"index full of ones":     `UPDATE col_chunks SET data = CAST(replace(hex(zeroblob(length(data) / 2)), '0', x'ff') AS BLOB) WHERE col_id = (SELECT col_id FROM col_meta WHERE name LIKE '%_idx')`,
		"index of 2 GiB":         `UPDATE col_chunks SET data = CAST(x'00000000' || x'00000000' || x'ffffff7f' || zeroblob(length(data) - 12) AS BLOB) WHERE col_id = (SELECT col_id FROM col_meta WHERE name LIKE '%_idx') AND chunk_idx = 0`,
		"chunks without data":    `UPDATE col_chunks SET data = x''`,
		"chunks of text":         `UPDATE col_chunks SET data = CAST(data AS TEXT)`,
		"chunks of numbers":      `UPDATE col_chunks SET data = 5`,
		"no chunks":              `DELETE FROM col_chunks`,
		"chunks far away":        `UPDATE col_chunks SET chunk_idx = chunk_idx + 1000000000`,
		"no columns":             `DELETE FROM col_meta`,
		"the same chunk":         `DROP TABLE col_chunks; CREATE TABLE col_chunks(col_id, chunk_idx, data, actual_size, bytes_used, has_deleted); INSERT INTO col_chunks SELECT col_id, 0, zeroblob(100), 100, 100, 0 FROM col_meta, (SELECT 1 UNION SELECT 2)`,
		"old tables":             `DROP TABLE col_chunks; CREATE TABLE col_chunks(col_id, chunk_idx, data, actual_size)`,
		"unbounded":              `ALTER TABLE col_meta DROP COLUMN max_chunk_bytes`,
		"unbounded, zero":        `ALTER TABLE col_meta DROP COLUMN max_chunk_bytes; UPDATE col_meta SET elem_size = 0`,
	}) {
		all = append(all, hostileFile{name: "columns, " + name, sql: []string{`PRAGMA foreign_keys=0`, sql}})
	}
	return all
}
