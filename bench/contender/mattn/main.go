// SQLite through mattn's driver (C, by cgo) and database/sql.
package main

import (
	"path/filepath"

	_ "github.com/mattn/go-sqlite3"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
	"github.com/kohakuvault/kvault/bench/internal/naive"
)

func main() {
	load.Main("github.com/mattn/go-sqlite3", func(p contract.Params) (load.Store, error) {
		return naive.Open("sqlite3", "file:"+filepath.Join(p.Dir, "mattn.db")+
			"?_journal_mode=WAL&_busy_timeout=60000&_txlock=immediate&_synchronous="+naive.Synchronous(p))
	})
}
