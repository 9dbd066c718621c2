package sqlite

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/internal/process"
)

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
