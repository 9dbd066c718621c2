package contract

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"
)

// Section is the part of a run that is measured.
type Section struct {
	start     time.Time
	user, sys int64
	profile   *os.File
}

// Begin starts the measured section, and the CPU profile if one is wanted.
func Begin(cpuProfile string) (*Section, error) {
	s := &Section{}
	if cpuProfile != "" {
		f, err := os.Create(cpuProfile)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		s.profile = f
	}
	runtime.GC()
	s.user, s.sys = usage()
	s.start = time.Now()
	return s, nil
}

// End ends it and fills in what the system knows.
func (s *Section) End(r *Result) error {
	r.ElapsedNS = time.Since(s.start).Nanoseconds()
	user, sys := usage()
	r.UserNS, r.SysNS = user-s.user, sys-s.sys
	if s.profile != nil {
		pprof.StopCPUProfile()
		if err := s.profile.Close(); err != nil {
			return err
		}
	}
	var err error
	r.PeakBytes, err = peak()
	return err
}

func usage() (user, sys int64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	return u.Utime.Nano(), u.Stime.Nano()
}

// peak reads VmHWM. The maximum in rusage would do, were it not for the parent's, which a child
// starts out with.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 2 {
		return 0, fmt.Errorf("no VmHWM in the system's account of the process")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10, err
}
