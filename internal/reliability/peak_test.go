package reliability

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

// peakMemory is the most memory in bytes that this process had resident, or 0 where that is not
// known. What the system tells of a child that has ended will not do: on Linux that counts what its
// parent had when it started the child.
func peakMemory() (peak int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &peak); err == nil {
			return peak << 10
		}
	}
	return 0
}

const peakLine = "peak "

// tellPeak is the last that a child says.
func tellPeak(out io.Writer) error {
	_, err := fmt.Fprintln(out, peakLine, peakMemory())
	return err
}

// wantPeak waits for a child to end, and logs what it says. Its memory must have stayed below a
// limit.
func wantPeak(t *testing.T, c *child, limit int64) {
	t.Helper()
	wantPeakAnd(t, c, limit, func(line string) { t.Log(line) })
}

// wantPeakAnd is wantPeak that hands each line to fn.
func wantPeakAnd(t *testing.T, c *child, limit int64, fn func(line string)) {
	t.Helper()
	peak := int64(-1)
	for c.lines.Scan() {
		n, last := strings.CutPrefix(c.lines.Text(), peakLine)
		if !last {
			fn(c.lines.Text())
			continue
		}
		var err error
		if peak, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64); err != nil {
			t.Error(err)
		}
	}
	if err := c.Wait(); err != nil || peak < 0 {
		t.Fatalf("the child did not get to its end: %v", err)
	}
	if t.Logf("peak resident memory %d MiB", peak>>20); peak > limit {
		t.Errorf("peak resident memory %d MiB, want at most %d", peak>>20, limit>>20)
	}
}
