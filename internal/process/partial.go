package process

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A partial file is named after the file that it is to become, and after the process that writes
// it.
var (
	hostMark    = fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(Host)))
	partialMark = fmt.Sprintf("%s-%08x", hostMark, crc32.ChecksumIEEE([]byte(Token)))
	partialName = regexp.MustCompile(`\.(\d+)-([0-9a-f]{8})-([0-9a-f]{8})\.\w+\.partial(-wal|-shm|-journal)?$`)
)

// lostAfter is how long nothing is written to a partial file of another machine or container before
// it counts as left behind: whether its process is still there cannot be seen.
const lostAfter = 24 * time.Hour

// PartialName is a new name for a file that is to become base.
func PartialName(base string) string {
	const longest = 180 // bytes, so that the name of a journal is no longer than a file system takes
	base = strings.ToValidUTF8(base[:min(len(base), longest)], "")
	return fmt.Sprintf("%s.%d-%s.%s.partial", base, os.Getpid(), partialMark, rand.Text()[:13])
}

// SweepPartials removes those of a folder's files and links that are partial and whose process is
// gone. What cannot be removed is left for the next sweep.
func SweepPartials(entries []fs.DirEntry, remove func(name string) error) {
	for _, e := range entries {
		made := e.Type().IsRegular() || e.Type() == fs.ModeSymlink // as a file or a link is on its way
		if m := partialName.FindStringSubmatch(e.Name()); m != nil && made && leftBehind(e, m) {
			_ = remove(e.Name())
		}
	}
}

// leftBehind says that the process that made a partial file is gone.
func leftBehind(e fs.DirEntry, name []string) bool {
	pid, err := strconv.Atoi(name[1])
	switch {
	case err != nil:
		return false
	case name[2] != hostMark:
		info, err := e.Info()
		return err == nil && time.Since(info.ModTime()) > lostAfter
	case pid == os.Getpid():
		return name[2]+"-"+name[3] != partialMark
	}
	return !Exists(pid)
}
