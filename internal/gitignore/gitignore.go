// Package gitignore says which files of a tree to leave out, by the rules of .gitignore files.
package gitignore

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// LongestPattern is the most bytes that a pattern may have: no path is longer. Matching takes time
// in proportion to the length of the pattern times that of the path, whatever the pattern is.
const LongestPattern = 4096

// Patterns is a list of patterns, of which the last one that matches a path decides. The zero value
// leaves out nothing. Several goroutines may ask it at once, but not while one adds to it.
type Patterns struct{ rules []rule }

type rule struct {
	include  bool // takes back what rules before it left out
	dirsOnly bool
	baseOnly bool // is about the last part of a path, wherever that lies
	parts    []part
}

// Add adds a line of a .gitignore file and reports whether it holds a pattern: an empty line and a
// comment do not. It fails for a pattern that git takes for one that never matches anything.
func (p *Patterns) Add(line string) (bool, error) {
	text := trimSpaces(line)
	if text == "" || text[0] == '#' {
		return false, nil
	}
	if len(text) > LongestPattern {
		return false, fmt.Errorf("a pattern has more than %d bytes", LongestPattern)
	}
	var r rule
	text, r.include = strings.CutPrefix(text, "!")
	text, r.dirsOnly = strings.CutSuffix(text, "/")
	r.baseOnly = !strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	if text == "" {
		return false, fmt.Errorf("%q names nothing", line)
	}
	var err error
	if r.parts, err = parse(text); err != nil {
		return false, fmt.Errorf("%.100q: %w", line, err)
	}
	p.rules = append(p.rules, r)
	return true, nil
}

// AddFile adds the lines of a .gitignore file. An error names the line.
func (p *Patterns) AddFile(text string) error {
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		line, ended := strings.CutSuffix(line, "\n")
		if ended {
			line = strings.TrimSuffix(line, "\r")
		}
		if strings.ContainsRune(line, 0) {
			return fmt.Errorf("line %d holds a NUL byte: save the file as UTF-8 text", n)
		}
		if !utf8.ValidString(line) {
			return fmt.Errorf("line %d is not UTF-8: write ? for each byte of another encoding", n)
		}
		if _, err := p.Add(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// LeavesOut reports whether the patterns leave out a path, which has "/" between its parts, or a
// directory of that path. It does not look at the directories above: nothing below a directory that
// is left out may be asked for.
func (p *Patterns) LeavesOut(path string, dir bool) bool {
	return p.leavesOut(strings.Split(path, "/"), dir)
}

// leavesOut is LeavesOut of a path of which the parts are given.
func (p *Patterns) leavesOut(names []string, dir bool) bool {
	base := names[len(names)-1]
	for i := len(p.rules) - 1; i >= 0; i-- {
		r := &p.rules[i]
		if r.dirsOnly && !dir {
			continue
		}
		if r.baseOnly {
			if r.parts[0].match(base) {
				return !r.include
			}
			continue
		}
		if matchParts(r.parts, names) {
			return !r.include
		}
	}
	return false
}

// longestPath is the longest in bytes that a system takes.
const longestPath = 4096

// LeavesOutFile reports whether the patterns leave out a file or any of the directories above it. A
// path that ends in a slash is that of a directory. One that is longer than a system takes is not
// left out: a key can have thousands of parts.
func (p *Patterns) LeavesOutFile(path string) bool {
	if len(p.rules) == 0 || len(path) > longestPath {
		return false
	}
	names := strings.Split(path, "/")
	for n := 1; n < len(names); n++ {
		if p.leavesOut(names[:n], true) {
			return true
		}
	}
	return names[len(names)-1] != "" && p.leavesOut(names, false)
}

// trimSpaces removes the spaces at the end of a line that no backslash keeps.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = i + 1
	}
	return line[:min(end, len(line))]
}

// part is what stands between two slashes of a pattern.
type part []element

// element stands for one byte of a set, or for any number of bytes.
type element struct {
	star bool
	set  byteSet
}

// folders reports whether the part stands for any number of folders.
func (s part) folders() bool {
	for _, e := range s {
		if !e.star {
			return false
		}
	}
	return len(s) > 1
}

// match reports whether the part matches a name. It goes back only to the last star that it met.
func (s part) match(name string) bool {
	at, i, again, star := 0, 0, 0, -1
	for at < len(name) {
		switch {
		case i < len(s) && s[i].star:
			star, again = i, at
			i++
			continue
		case i < len(s) && s[i].set.has(name[at]):
			at, i = at+1, i+1
			continue
		case star < 0:
			return false
		}
		again++
		at, i = again, star+1
	}
	for i < len(s) && s[i].star {
		i++
	}
	return i == len(s)
}

// matchParts reports whether the parts match all names. It goes back only to the last part that
// stands for folders: those before it cannot end earlier than they did.
func matchParts(parts []part, names []string) bool {
	at, i, again, folders := 0, 0, 0, -1
	for at < len(names) {
		switch {
		case i < len(parts)-1 && parts[i].folders():
			folders, again = i, at
			i++
			continue
		case i == len(parts)-1 && parts[i].folders(): // all that is in a folder
			return true
		case i < len(parts) && parts[i].match(names[at]):
			at, i = at+1, i+1
			continue
		case folders < 0:
			return false
		}
		again++
		at, i = again, folders+1
	}
	return i == len(parts)
}

var errOpen = errors.New(
	`a "[" or a backslash is not complete; a backslash before it takes it as it is`)
