package walvfs

import "syscall"

func changeTimes(st *syscall.Stat_t) [2]int64 {
	return [2]int64{st.Mtimespec.Nano(), st.Ctimespec.Nano()}
}
