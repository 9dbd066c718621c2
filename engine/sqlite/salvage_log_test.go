package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

const logPage, logFrame = 1024, 24 + 1024

// replacedInLog is a vault in whose file the values are older than in its log.
func replacedInLog(t *testing.T) (file, log []byte, frames int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	for _, value := range []string{"old", "new"} {
		s := open(t, path, &sqlite.Options{PageSize: logPage})
		for i := range 20 {
			put(t, s, fmt.Sprint(i), []byte(value))
		}
		if value == "old" {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	file, log = must[[]byte](t)(os.ReadFile(path)), must[[]byte](t)(os.ReadFile(path+"-wal"))
	for 32+(frames+1)*logFrame <= len(log) && bytes.Equal(log[32+frames*logFrame+8:][:8], log[16:24]) {
		frames++
	}
	return file, log, frames
}

// Commits that are in the log only are salvaged with the rest. What a damaged log does not tell
// comes back as it was before, and that is told. A log that ends as one does after a crash is not
// damaged. The log is left as it is.
func TestSalvageDamagedLog(t *testing.T) {
	t.Parallel()
	file, log, frames := replacedInLog(t)
	frame := func(n int) int { return 32 + n*logFrame }
	end := frame(frames)
	other := noise(logFrame)
	for _, c := range []struct {
		name string
		hurt func(log []byte) []byte
		told string // in the doubt; nothing for none
	}{
		{"whole", func(log []byte) []byte { return log }, ""},
		{"empty", func(log []byte) []byte { return nil }, ""},
		{"without frames", func(log []byte) []byte { return log[:32] }, ""},
		{"cut off behind a frame", func(log []byte) []byte { return log[:frame(frames/2)] }, ""},
		{"cut off in a frame", func(log []byte) []byte { return log[:frame(frames/2)+500] }, ""},
		{"frames of an earlier log", func(log []byte) []byte {
			for n := frames / 2; n < frames; n++ {
				log[frame(n)+8] ^= 1
			}
			return log
		}, ""},
		{"frames that were not committed", func(log []byte) []byte {
			for n := frames / 2; n < frames; n++ {
				clear(log[frame(n)+4:][:4])
			}
			return log
		}, ""},
		{"a bit of the first frame", func(log []byte) []byte { log[frame(0)+100] ^= 1; return log }, "v.kv-wal behind its frame 0"},
		{"a bit in the middle", func(log []byte) []byte { log[frame(frames/2)+100] ^= 1; return log }, fmt.Sprintf("behind its frame %d", frames/2)},
		{"a bit of the last frame", func(log []byte) []byte { log[frame(frames-1)+100] ^= 1; return log }, fmt.Sprintf("behind its frame %d", frames-1)},
		{"a frame of zeros", func(log []byte) []byte { clear(log[frame(3):frame(4)]); return log }, "behind its frame 3"},
		{"a frame of random bytes", func(log []byte) []byte { copy(log[frame(3):], other); return log }, "behind its frame 3"},
		{"a bit of the header", func(log []byte) []byte { log[17] ^= 1; return log }, "the header of v.kv-wal"},
		{"the magic number", func(log []byte) []byte { log[0] = 0; return log }, "the header of v.kv-wal"},
		{"a header of zeros", func(log []byte) []byte { clear(log[:32]); return log }, "the header of v.kv-wal"},
		{"zeros", func(log []byte) []byte { return make([]byte, end) }, "the header of v.kv-wal"},
		{"cut off in the header", func(log []byte) []byte { return log[:20] }, "the header of v.kv-wal cannot be read"},
	} {
		path := filepath.Join(t.TempDir(), "v.kv")
		hurt := c.hurt(bytes.Clone(log))
		write(t, path, file)
		write(t, path+"-wal", hurt)
		wantDoubt(t, c.name, path, c.told)
		if after := must[[]byte](t)(os.ReadFile(path + "-wal")); !bytes.Equal(after, hurt) {
			t.Errorf("%s: the log was changed", c.name)
		}
		want := "old"
		if c.name == "whole" {
			want = "new"
		}
		if got := must[[]byte](t)(open(t, path+".new", nil).Get(t.Context(), "19")); string(got) != want {
			t.Errorf("%s: the last value is %q, want %q", c.name, got, want)
		}
	}
}

// wantDoubt salvages a vault of 20 keys.
func wantDoubt(t *testing.T, name, path, told string) {
	t.Helper()
	var losses []engine.Loss
	report, err := sqlite.Salvage(t.Context(), path, path+".new", &sqlite.SalvageOptions{
		OnLoss: func(l engine.Loss) { losses = append(losses, l) }})
	if err != nil || report.Keys != 20 {
		t.Fatalf("%s: %+v, %v", name, report, err)
	}
	switch {
	case told == "" && len(losses) > 0:
		t.Errorf("%s: %v", name, losses)
	case told != "" && (len(losses) != 1 || !losses[0].Copied || losses[0].Table != sqlite.DefaultTable || !strings.Contains(losses[0].Err.Error(), told)):
		t.Errorf("%s: %v, want a doubt of %q", name, losses, told)
	}
}

// A log that cannot be read is no log that is not there.
func TestSalvageUnreadableLog(t *testing.T) {
	file, _, _ := replacedInLog(t)
	path := filepath.Join(t.TempDir(), "v.kv")
	write(t, path, file)
	if err := os.Mkdir(path+"-wal", 0o700); err != nil {
		t.Fatal(err)
	}
	wantDoubt(t, "a folder", path, "v.kv-wal is no regular file")
	if runtime.GOOS != "linux" {
		return
	}
	path = filepath.Join(t.TempDir(), "v.kv")
	write(t, path, file)
	if err := os.Symlink("/proc/self/mem", path+"-wal"); err != nil { // whose first page cannot be read
		t.Fatal(err)
	}
	wantDoubt(t, "input/output error", path, "input/output error")
}

// A rollback journal that a crash left undoes what its transaction had begun. One that is damaged
// leaves values of that transaction, and that is told.
func TestSalvageDamagedJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{DisableWAL: true, PageSize: 1024})
	for i := range 20 {
		put(t, s, fmt.Sprint(i), bytes.Repeat([]byte("old"), 1000))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	hot := filepath.Join(t.TempDir(), "v.kv")
	interrupted(t, path, hot, `PRAGMA cache_size=1`, `PRAGMA cache_spill=1`, `UPDATE kvault SET value = zeroblob(2000)`)
	file, journal := must[[]byte](t)(os.ReadFile(hot)), must[[]byte](t)(os.ReadFile(hot+"-journal"))
	for _, c := range []struct {
		name string
		hurt func(journal []byte) []byte
		told string
	}{
		{"whole", func(journal []byte) []byte { return journal }, ""},
		{"done with", func(journal []byte) []byte { clear(journal[:28]); return journal }, ""},
		{"a bit of the magic number", func(journal []byte) []byte { journal[1] ^= 1; return journal }, "v.kv-journal from byte 0 on"},
		{"a record", func(journal []byte) []byte { copy(journal[512+4:], noise(1024)); return journal }, "page 1 of"},
		{"cut off", func(journal []byte) []byte { return journal[:512+700] }, "page 1 of"},
	} {
		path := filepath.Join(t.TempDir(), "v.kv")
		write(t, path, file)
		write(t, path+"-journal", c.hurt(bytes.Clone(journal)))
		var losses []engine.Loss
		if _, err := sqlite.Salvage(t.Context(), path, path+".new", &sqlite.SalvageOptions{OnLoss: func(l engine.Loss) {
			if l.Key == "" && l.Copied {
				losses = append(losses, l)
			}
		}}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if told := fmt.Sprint(losses); (c.told == "") != (len(losses) == 0) || !strings.Contains(told, c.told) {
			t.Errorf("%s: %s, want %q", c.name, told, c.told)
		}
		if c.name != "whole" {
			continue
		}
		if got := must[[]byte](t)(open(t, path+".new", nil).Get(t.Context(), "7")); !bytes.HasPrefix(got, []byte("old")) {
			t.Errorf("a whole journal gives %d bytes that are not the old ones", len(got))
		}
	}
}
