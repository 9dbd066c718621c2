package sqlite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/internal/process"
)

// sweepRows is how many chunk rows one transaction of the sweeper removes.
const sweepRows = 64

// orphan leaves the chunks of a row that is about to be replaced or removed to the sweeper.
func (ses *session) orphan(r *row) error {
	if !r.chunked {
		return nil
	}
	return ses.orphanID(r.ref.ID, r.ref.Nonce)
}

// orphanID leaves a value to the sweeper. The nonce makes sure that it is the one meant: a
// reference may come from another file, where its id is that of another value, and the id of a
// stage that was swept is used again.
func (ses *session) orphanID(id, nonce int64) error {
	ins, err := ses.c.Prepare(`INSERT OR IGNORE INTO ` + format.OrphansTable + ` SELECT id FROM ` + format.ValuesTable + ` WHERE id = ?1 AND nonce = ?2`)
	if err != nil {
		return err
	}
	ses.orphaned = true
	return ins.Int(1, id).Int(2, nonce).Exec()
}

// startSweeping marks the stages that dead processes left behind, and starts the goroutine that
// removes orphans.
func (w *writer) startSweeping(ctx context.Context) error {
	work, err := w.hasLeftovers(ctx)
	if err == nil && work {
		err = w.do(&request{ctx: ctx, run: (*session).markAbandoned})
	}
	if err != nil {
		return err
	}
	ctx, w.sweepStop = context.WithCancel(context.Background())
	w.sweepDone = make(chan struct{})
	if work {
		w.wakeSweeper()
	}
	go func() {
		defer close(w.sweepDone)
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.sweepWake:
				_ = w.sweep(ctx) // what is left is tried again at the next wake or Open
			}
		}
	}()
	return nil
}

// hasLeftovers looks, without the write lock, whether there is anything to mark or to sweep.
func (w *writer) hasLeftovers(ctx context.Context) (bool, error) {
	w.conn.SetContext(ctx)
	defer w.conn.SetContext(context.Background())
	sql := stagesOnly("1") + ` UNION ALL SELECT 1 FROM ` + format.OrphansTable
	uploads, err := hasObject(w.conn, "table", format.UploadsTable)
	if err != nil {
		return false, err
	}
	if uploads {
		sql += ` UNION ALL SELECT 1 FROM ` + format.UploadsTable + ` WHERE expires <= ?1`
	}
	st, err := w.conn.Prepare(sql + ` LIMIT 1`)
	if err != nil {
		return false, err
	}
	defer st.Reset()
	if uploads {
		st.Int(1, time.Now().UnixNano())
	}
	return st.Step()
}

func (w *writer) wakeSweeper() {
	select {
	case w.sweepWake <- struct{}{}:
	default:
	}
}

func (w *writer) stopSweeping() {
	if w.sweepStop != nil {
		w.sweepStop()
		<-w.sweepDone
	}
}

// sweep removes orphans, a few rows at a time so that other writers get their turn, until there are
// none.
func (w *writer) sweep(ctx context.Context) error {
	for more := true; more; {
		err := w.do(&request{ctx: ctx, lazy: true, run: func(ses *session) (err error) {
			more, err = ses.sweepStep()
			return err
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// stagesOnly selects columns of the stages among the unfinished values. An index leads past the
// uploads, however many there are.
func stagesOnly(columns string) string {
	sql := `SELECT ` + columns + ` FROM ` + format.ValuesTable + ` WHERE owner `
	return sql + `< '` + format.UploadOwner + `' UNION ALL ` + sql + `> '` + format.UploadOwner + `'`
}

// markAbandoned makes orphans of abandoned stages, and of uploads that have expired.
func (ses *session) markAbandoned() error {
	uploads, err := hasObject(ses.c, "table", format.UploadsTable)
	if err == nil && uploads {
		err = ses.expireUploads(math.MaxInt64)
	}
	if err != nil {
		return err
	}
	sel, err := ses.c.Prepare(stagesOnly("id, owner, beat, nonce"))
	if err != nil {
		return err
	}
	defer sel.Reset()
	var gone []format.Reference
	for {
		there, err := sel.Step()
		if err != nil {
			return err
		}
		if !there {
			break
		}
		if parseOwner(sel.ColString(1)).abandoned(time.Unix(sel.ColInt(2), 0), time.Now()) {
			gone = append(gone, format.Reference{ID: sel.ColInt(0), Nonce: sel.ColInt(3)})
		}
	}
	for _, ref := range gone {
		if err := ses.orphanID(ref.ID, ref.Nonce); err != nil {
			return err
		}
	}
	return nil
}

// sweepStep removes some chunk rows of one orphan, or the orphan itself once it has none. It says
// whether there is more to do.
func (ses *session) sweepStep() (bool, error) {
	sel, err := ses.c.Prepare(`SELECT id FROM ` + format.OrphansTable + ` LIMIT 1`)
	if err != nil {
		return false, err
	}
	there, err := sel.Step()
	if err != nil || !there {
		return false, err
	}
	id := sel.ColInt(0)
	sel.Reset()
	used, err := ses.referenced(id)
	if err != nil {
		return false, err
	}
	possible := 0 < id && id < format.MaxValues // the chunk rows of an impossible id are those of others
	if possible && !used {
		shared, err := ses.shared(id)
		if err != nil {
			return false, err
		}
		if shared { // it is no key's value any more, but its chunk rows are those of copies
			used = true
			err := ses.run(`UPDATE `+format.ValuesTable+` SET tbl = NULL, key = NULL WHERE id = ?1`, id)
			if err != nil {
				return false, err
			}
		}
	}
	if possible && !used {
		if err := ses.run(`DELETE FROM `+format.ChunksTable+` WHERE id IN
			(SELECT id FROM `+format.ChunksTable+` WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)`, format.ChunkRow(id, 0), format.ChunkRow(id, format.MaxChunks-1), sweepRows); err != nil {
			return false, err
		}
		if ses.c.Changes() > 0 {
			return true, nil
		}
		if err := ses.dropValue(id); err != nil {
			return false, err
		}
	}
	return true, ses.run(`DELETE FROM `+format.OrphansTable+` WHERE id = ?1`, id)
}

// dropValue removes what is left of a value without chunk rows. If it is a copy, the value whose
// chunk rows it shares may be one that is kept for copies alone, of which it is the last.
func (ses *session) dropValue(id int64) error {
	err := ses.run(`INSERT OR IGNORE INTO `+format.OrphansTable+` SELECT r.id FROM `+format.ValuesTable+` c
		JOIN `+format.ValuesTable+` r ON r.id = -c.beat WHERE c.id = ?1 AND c.owner IS NULL AND c.beat < 0`, id)
	if err != nil {
		return err
	}
	return ses.run(`DELETE FROM `+format.ValuesTable+` WHERE id = ?1`, id)
}

// copiesIndex finds the copies of a value, in a file that has any.
const copiesIndex = "kvault_values_copies"

// createCopies makes a file of layout version 3: a program that knows only version 2 would sweep
// chunk rows that copies need.
const createCopies = `
UPDATE ` + format.LayoutTable + ` SET value = '3' WHERE name = 'version' AND value < '3';
CREATE INDEX ` + copiesIndex + ` ON ` + format.ValuesTable + `(beat) WHERE beat < 0;
`

// share makes e a copy of a value in chunk rows, in place of target. It has the same chunk rows,
// which nobody ever changes.
func (ses *session) share(old *row, e engine.Entry, target *row) error {
	_, chunks, err := ses.findChunks(old.entry.Key, old.ref)
	if err != nil {
		return err
	}
	if there, err := hasObject(ses.c, "index", copiesIndex); err != nil {
		return err
	} else if !there {
		ses.remade = true
		if err := ses.c.Exec(createCopies); err != nil {
			return err
		}
	}
	if target != nil {
		if err := ses.orphan(target); err != nil {
			return err
		}
	}
	ref := old.ref
	ref.Nonce = int64(rand.Uint64())
	ins, err := ses.c.Prepare(`INSERT INTO ` + format.ValuesTable +
		`(nonce, chunk_bytes, size, sum, tbl, key, beat) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)`)
	if err != nil {
		return err
	}
	ins.Int(1, ref.Nonce).Int(2, ref.ChunkBytes).Int(3, ref.Size).Int(4, int64(e.Meta.Sum))
	err = ins.Text(5, ses.t.name).Key(6, e.Key).Int(7, format.CopyBeat(chunks)).Exec()
	if err != nil {
		return err
	}
	if ref.ID, err = ses.lastValue(); err != nil {
		return err
	}
	rowid, err := ses.writeRow(e, ref.ID, ref.Encode(), target)
	if err != nil {
		return err
	}
	return ses.putMeta(rowid, e, ref.ID)
}

// shared says whether copies share the chunk rows of a value.
func (ses *session) shared(id int64) (bool, error) {
	sel, err := ses.c.Prepare(`SELECT 1 FROM ` + format.ValuesTable + `
		WHERE beat = ?1 AND beat < 0 AND owner IS NULL AND id <> ?2`)
	if err != nil {
		return false, err
	}
	defer sel.Reset()
	return sel.Int(1, format.CopyBeat(id)).Int(2, id).Step()
}

func (ses *session) run(sql string, args ...int64) error {
	_, err := ses.update(sql, args...)
	return err
}

// referenced says whether a value is in use after all: another program may have written the same
// reference again.
func (ses *session) referenced(id int64) (bool, error) {
	sel, err := ses.c.Prepare(`SELECT tbl, key FROM ` + format.ValuesTable + ` WHERE id = ?1 AND owner IS NULL AND tbl IS NOT NULL`)
	if err != nil {
		return false, err
	}
	there, err := sel.Int(1, id).Step()
	if err != nil || !there {
		return false, err
	}
	tbl, key := sel.ColString(0), sel.ColString(1)
	sel.Reset()
	if there, err := hasObject(ses.c, "table", tbl); err != nil || !there {
		return false, err
	}
	val, err := ses.c.Prepare(`SELECT CASE WHEN octet_length(value) = 42 THEN value END FROM ` + quoted(tbl) + ` WHERE key = ?1`)
	if driver.KindOf(err) == driver.BadSchema {
		return false, nil // no key-value table: it refers to nothing
	}
	if err != nil {
		return false, err
	}
	defer val.Reset()
	if there, err := val.Key(1, key).Step(); err != nil || !there {
		return false, err
	}
	b, err := val.ColBytes(0)
	ref, ok := format.ParseReference(b)
	return ok && ref.ID == id, err
}

const (
	// beatEvery is how often the writer of a stage says that it is alive. Where only the beat can
	// tell, a stage whose beat is older than staleAfter has been left behind.
	beatEvery  = 5 * time.Minute
	staleAfter = time.Hour
)

// owner names a process: its host, and where on it the id counts; its id there; and a token, since
// ids are used again. On Linux the token ends with when the process started.
type owner struct {
	host  string
	pid   int
	token string
}

var self = owner{process.Host, os.Getpid(), process.Token}

func (o owner) String() string { return fmt.Sprintf("%s|%d|%s", o.host, o.pid, o.token) }

func parseOwner(s string) owner {
	p := strings.Split(s, "|")
	if len(p) != 3 {
		return owner{}
	}
	pid, err := strconv.Atoi(p[1])
	if err != nil {
		return owner{}
	}
	return owner{p[0], pid, p[2]}
}

// abandoned says whether the stage of o, last heard of at beat, may be swept. The beat alone does
// not tell: the machine may have been suspended, or its clock set, while the process lives.
func (o owner) abandoned(beat, now time.Time) bool {
	stale := now.Sub(beat) > staleAfter
	switch {
	case o == self:
		return false
	case o.pid <= 0:
		return true
	case !o.isHere():
		return stale
	case o.pid == self.pid:
		return o.start() == "" || o.start() != self.start()
	case !process.Exists(o.pid):
		return true
	}
	was, is := o.start(), process.StartOf(strconv.Itoa(o.pid))
	return stale && was != "" && is != "" && was != is // another process has the id now
}

// isHere says whether the id of o means a process that this one can look for. The name of a host
// may change while a process runs.
func (o owner) isHere() bool {
	return o.host == self.host || process.Scope != "" && strings.HasSuffix(o.host, process.Scope)
}

// start is when the process started, or empty if that is not known.
func (o owner) start() string {
	_, start, _ := strings.Cut(o.token, ".")
	return start
}
