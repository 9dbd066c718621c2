package race

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// pythonPrograms are the contenders in Python: the script, and the package that it needs.
var pythonPrograms = map[string]struct{ script, requirement string }{
	"kohakuvault-0.8.6": {"kohaku.py", "kohakuvault==0.8.6"},
	"kohakuvault-0.2.2": {"kohaku.py", "kohakuvault==0.2.2"},
	"diskcache":         {"disk_cache.py", "diskcache==5.6.3"},
}

// buildPython makes a virtual environment with the package, unless there is one.
func (p *Programs) buildPython(ctx context.Context, script, requirement string) ([]string, error) {
	venv := filepath.Join(p.Cache, "python-"+requirement)
	python := filepath.Join(venv, "bin", "python")
	command := []string{python, filepath.Join(p.Source, "contender", "python", script)}
	ready := filepath.Join(venv, "ready")
	if _, err := os.Stat(ready); err == nil {
		return command, nil
	}
	if _, err := output(ctx, "", "python3", "-m", "venv", "--clear", venv); err != nil {
		return nil, err
	}
	if _, err := output(ctx, "", python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", requirement); err != nil {
		return nil, errors.Join(err, os.RemoveAll(venv))
	}
	return command, os.WriteFile(ready, nil, 0o600)
}
