package sqlite

import (
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// beatEvery is how often the writer of a stage says that it is alive; a stage whose beat is older than staleAfter has been
	// left behind, whoever wrote it.
	beatEvery  = 5 * time.Minute
	staleAfter = time.Hour
)

// owner names a process: its host, and where on it the id counts; its id there; and a token, since ids are used again.
type owner struct {
	host  string
	pid   int
	token string
}

var self = func() owner {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return owner{strings.ReplaceAll(host+scope(), "|", "-"), os.Getpid(), rand.Text()[:16]}
}()

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

// abandoned says whether the stage of o, last heard of at beat, may be swept.
func (o owner) abandoned(beat, now time.Time) bool {
	switch {
	case o == self:
		return false
	case now.Sub(beat) > staleAfter || o.pid <= 0:
		return true
	case o.host != self.host:
		return false
	case o.pid == self.pid:
		return true
	}
	return !processExists(o.pid)
}
