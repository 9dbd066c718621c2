// Package naive is a key-value table as most programs would write it with database/sql: no
// statements kept, the defaults of the driver except for the write-ahead log and the class of
// durability.
package naive

import (
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

type store struct {
	load.Chunked
	db *sql.DB
}

// Open makes the table.
func Open(driver, dsn string) (load.Store, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, value BLOB NOT NULL)`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &store{db: db}
	s.Chunked = load.Chunked{Batcher: s, Peeker: s}
	return s, nil
}

// Synchronous is the pragma's value for the class of durability.
func Synchronous(p contract.Params) string {
	if p.Full {
		return "FULL"
	}
	return "NORMAL"
}

const upsert = `INSERT OR REPLACE INTO kv(key, value) VALUES(?, ?)`

func (s *store) Close() error { return s.db.Close() }

func (s *store) Put(key string, value []byte) error {
	_, err := s.db.Exec(upsert, key, value)
	return err
}

func (s *store) PutBatch(pairs iter.Seq2[string, []byte]) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	for key, value := range pairs {
		if _, err := tx.Exec(upsert, key, value); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

type queryer interface {
	QueryRow(query string, args ...any) *sql.Row
}

func get(q queryer, key string) (value []byte, err error) {
	err = q.QueryRow(`SELECT value FROM kv WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%s: %w", key, load.ErrNoKey)
	}
	return value, err
}

func (s *store) Get(key string) ([]byte, error) { return get(s.db, key) }

func (s *store) Peek(key string, fn func([]byte) error) error {
	value, err := s.Get(key)
	if err != nil {
		return err
	}
	return fn(value)
}

func (s *store) View(keys []string, each func(int, []byte)) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	for i, key := range keys {
		value, err := get(tx, key)
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		each(i, value)
	}
	return tx.Commit()
}

func (s *store) List(each func(string)) error {
	rows, err := s.db.Query(`SELECT key FROM kv ORDER BY key`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return errors.Join(err, rows.Close())
		}
		each(key)
	}
	return errors.Join(rows.Err(), rows.Close())
}
