//go:build reliability

package reliability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// spillRows are written in one transaction that does not fit in the shell's page cache.
const spillRows = 300

// shellScripts are what the stock shell of SQLite does to the file.
var shellScripts = []func(n int) string{
	func(int) string { return "PRAGMA wal_checkpoint(PASSIVE);" },
	func(int) string { return "PRAGMA wal_checkpoint(FULL);" },
	func(int) string { return "PRAGMA wal_checkpoint(RESTART);" },
	func(int) string { return "PRAGMA wal_checkpoint(TRUNCATE);" },
	func(int) string { return "VACUUM;" },
	func(int) string { return "PRAGMA quick_check;" },
	func(int) string { return "ANALYZE; PRAGMA optimize;" },
	func(int) string { // a reader that keeps its snapshot for a while
		return "BEGIN; SELECT count(*) FROM kvault;\n.shell sleep 0.1\nSELECT sum(size) > 0 FROM kvault; COMMIT;"
	},
	func(n int) string { return spill(n, "COMMIT") },
	func(n int) string { return spill(n, "ROLLBACK") },
	func(n int) string {
		return fmt.Sprintf(`CREATE TABLE other_%d (a, b); CREATE INDEX other_%[1]d_a ON other_%[1]d (a); ALTER TABLE other_%[1]d ADD COLUMN c;
			INSERT INTO other_%[1]d VALUES (1, 2, 3); DROP TABLE other_%[1]d;`, n)
	},
	func(n int) string { // a key of its own, as any program may write it
		return fmt.Sprintf("REPLACE INTO kvault (key, size, value) VALUES (CAST('shell %d' AS BLOB), 5000, zeroblob(5000)); DELETE FROM kvault WHERE key = CAST('shell %d' AS BLOB);",
			n%7, (n+3)%7)
	},
}

// spill writes rows of one mark, some of them to the log before the transaction ends.
func spill(n int, end string) string {
	return fmt.Sprintf(`PRAGMA cache_size = 5; CREATE TABLE IF NOT EXISTS spilled (mark, data); BEGIN IMMEDIATE;
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d) INSERT INTO spilled SELECT %d, randomblob(700) FROM c;
		DELETE FROM spilled WHERE mark < %[2]d - 5; %[3]s;`, spillRows, n, end)
}

// shells runs one script after another, each in a process of its own, a third of which are killed.
func shells(t *testing.T, path string, until time.Time) (calls int) {
	for ; time.Now().Before(until) && !t.Failed(); calls++ {
		script := shellScripts[rand.IntN(len(shellScripts))](int(time.Now().UnixMilli()))
		life := time.Minute
		if rand.IntN(3) == 0 {
			life = time.Duration(1+rand.IntN(150)) * time.Millisecond
		}
		out, killed, err := shell(t.Context(), path, script, life)
		// The shell gives up after its busy timeout, as readers of FULL and RESTART make it do.
		if err != nil && !killed && !strings.Contains(out, "locked") {
			t.Errorf("the shell: %v: %s\n%s", err, out, script)
		}
	}
	return calls
}

func shell(ctx context.Context, path, script string, life time.Duration) (out string, killed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, life)
	defer cancel()
	c := exec.CommandContext(ctx, "sqlite3", "-bail", path)
	c.Stdin = strings.NewReader(".timeout 10000\n" + script + "\n")
	text, err := c.CombinedOutput()
	return string(text), errors.Is(ctx.Err(), context.DeadlineExceeded), err
}

// shellSound fails if the stock shell finds the file damaged, or a part of a transaction in it.
func shellSound(t *testing.T, path string) {
	t.Helper()
	for script, want := range map[string]string{
		"PRAGMA integrity_check;": "ok\n",
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS spilled (mark, data); SELECT count(*) FROM (SELECT 1 FROM spilled GROUP BY mark HAVING count(*) != %d);", spillRows): "0\n",
	} {
		if out, _, err := shell(t.Context(), path, script, 5*time.Minute); err != nil || out != want {
			t.Errorf("%s gives %q (%v), want %q", script, out, err, want)
		}
	}
}
