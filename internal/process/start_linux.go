package process

import (
	"bytes"
	"os"
	"strings"
)

// scope is where the process's id means this process: between two starts of the machine, and in one
// container. Containers of one pod share their name and the machine, and each sees only its own
// processes.
func scope() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, spaceErr := os.Readlink("/proc/self/ns/pid")
	if err != nil || spaceErr != nil {
		return ""
	}
	return " " + strings.TrimSpace(string(boot)) + " " + space
}

// StartOf is when a process started, in ticks since the machine did; empty if the system does not
// tell. pid is a number or "self".
func StartOf(pid string) string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	// The second field is the name of the program in parentheses, which may hold blanks and
	// parentheses. The start is the 22nd.
	_, rest, _ := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(" "))
	fields := bytes.Fields(rest)
	const start = 22 - 3
	if len(fields) <= start {
		return ""
	}
	return string(fields[start])
}
