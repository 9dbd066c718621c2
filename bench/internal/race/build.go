// Package race builds the contenders and lets them run in alternating rounds.
package race

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kohakuvault/kvault/bench/internal/plan"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// module is where the contenders' sources are.
const module = "github.com/kohakuvault/kvault/bench"

// Programs are the contenders, built.
type Programs struct {
	// Source is the folder of this module, and Cache the one that keeps what takes long to build
	// and is the same for all runs.
	Source, Cache string
	// Bin is a folder for the programs of this run: another may be under way, of other sources.
	Bin string
	// Earlier is the folder of this module in an earlier tree, for the contender of that name.
	Earlier  string
	commands map[string][]string
}

// NewPrograms finds the module's sources from the working folder. The programs are put in bin.
func NewPrograms(ctx context.Context, bin string) (*Programs, error) {
	source, err := output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, fmt.Errorf("finding the module %s (run this in its folder): %w", module, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	p := &Programs{Source: source, Cache: filepath.Join(cache, "kvault-bench"), Bin: bin, commands: map[string][]string{}}
	return p, errors.Join(os.MkdirAll(p.Cache, 0o700), os.MkdirAll(p.Bin, 0o700))
}

// Command is how a contender is started; it is built if it has not been yet.
func (p *Programs) Command(ctx context.Context, program string) ([]string, error) {
	if c, ok := p.commands[program]; ok {
		return c, nil
	}
	unlock, err := p.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	c, err := p.build(ctx, program)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", program, err)
	}
	p.commands[program] = c
	return c, nil
}

// lock keeps other runs from building in the cache at the same time.
func (p *Programs) lock() (unlock func(), err error) {
	f, err := os.Create(filepath.Join(p.Cache, "lock"))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func (p *Programs) build(ctx context.Context, program string) ([]string, error) {
	if program == "floor" {
		return p.buildFloor(ctx)
	}
	if py, ok := pythonPrograms[program]; ok {
		return p.buildPython(ctx, py.script, py.requirement)
	}
	bin := filepath.Join(p.Bin, program)
	if program == plan.Earlier {
		_, err := output(ctx, p.Earlier, "go", "build", "-o", bin, module+"/contender/vault")
		return []string{bin}, err
	}
	_, err := output(ctx, p.Source, "go", "build", "-o", bin, module+"/contender/"+program)
	return []string{bin}, err
}

// amalgamation is the module that carries SQLite's source in one file, and the version that the
// vault's driver has too.
const amalgamation = "github.com/mattn/go-sqlite3"

// floorFlags are those that SQLite's documentation recommends, for one connection a thread.
var floorFlags = []string{"-DSQLITE_THREADSAFE=2", "-DSQLITE_DQS=0", "-DSQLITE_DEFAULT_MEMSTATUS=0", "-DSQLITE_LIKE_DOESNT_MATCH_BLOBS",
	"-DSQLITE_MAX_EXPR_DEPTH=0", "-DSQLITE_OMIT_DECLTYPE", "-DSQLITE_OMIT_DEPRECATED", "-DSQLITE_OMIT_SHARED_CACHE"}

func (p *Programs) buildFloor(ctx context.Context) ([]string, error) {
	dir, err := p.sqliteSource(ctx)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(p.Cache, "sqlite-"+filepath.Base(dir))
	object := filepath.Join(folder, "sqlite3.o")
	if _, err := os.Stat(object); err != nil {
		if err := p.compileSQLite(ctx, dir, folder, object); err != nil {
			return nil, err
		}
	}
	sources, err := filepath.Glob(filepath.Join(p.Source, "contender", "floor", "*.c"))
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(p.Bin, "floor")
	args := append([]string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", folder, "-o", bin,
		fmt.Sprintf("-DPAGE_SIZE=%d", sqlite.DefaultPageSize), fmt.Sprintf("-DCACHE_KB=%d", sqlite.DefaultCacheKB)}, sources...)
	_, err = output(ctx, "", compiler(), append(args, object, "-lm", "-lpthread")...)
	return []string{bin}, err
}

// sqliteSource is the folder of the amalgamation. It asks for the package: go list downloads the
// module of a package, but says of a module that it has not downloaded only that it has no folder.
func (p *Programs) sqliteSource(ctx context.Context) (string, error) {
	return output(ctx, p.Source, "go", "list", "-f", "{{.Dir}}", amalgamation)
}

func (p *Programs) compileSQLite(ctx context.Context, dir, folder, object string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	header, err := os.ReadFile(filepath.Join(dir, "sqlite3-binding.h"))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "sqlite3.h"), header, 0o600)
	}
	if err != nil {
		return err
	}
	args := append([]string{"-O2", "-c", "-o", object + ".new", filepath.Join(dir, "sqlite3-binding.c")}, floorFlags...)
	if _, err := output(ctx, "", compiler(), args...); err != nil {
		return err
	}
	return os.Rename(object+".new", object)
}

func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return cc
	}
	return "cc"
}

// output runs a command and returns what it printed, without the last newline.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", name, err), errors.New(strings.TrimSpace(stderr.String())))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
