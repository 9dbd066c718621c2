package sqlite

import (
	"os"
	"strings"
)

// scope is where the process's id means this process: between two starts of the machine, and in one container. Containers of one pod share
// their name and the machine, and each sees only its own processes.
func scope() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, spaceErr := os.Readlink("/proc/self/ns/pid")
	if err != nil || spaceErr != nil {
		return ""
	}
	return " " + strings.TrimSpace(string(boot)) + " " + space
}
