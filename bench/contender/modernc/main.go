// SQLite through modernc's driver (C translated to Go) and database/sql.
package main

import (
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
	"github.com/kohakuvault/kvault/bench/internal/naive"
)

func main() {
	load.Main("modernc.org/sqlite", func(p contract.Params) (load.Store, error) {
		return naive.Open("sqlite", "file:"+filepath.Join(p.Dir, "modernc.db")+
			"?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_txlock=immediate&_pragma=synchronous("+naive.Synchronous(p)+")")
	})
}
