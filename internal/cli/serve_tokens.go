package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/kohakuvault/kvault/web"
)

const (
	minSecret    = 16
	maxTokenFile = 1 << 20
)

// readTokens reads a token file. Its errors name the line, and never show a secret.
func readTokens(name string) ([]web.Token, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, usagef("serve: others may use the token file %s, whose mode is %04o; chmod 600 it",
			name, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if len(text) > maxTokenFile {
		return nil, usagef("serve: the token file %s is larger than 1 MiB", name)
	}
	tokens, err := parseTokens(name, text)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, usagef("serve: the token file %s has no token; without the flag none is needed", name)
	}
	return tokens, nil
}

func parseTokens(name string, text []byte) ([]web.Token, error) {
	var tokens []web.Token
	seen := map[[2]string]int{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		t, err := parseToken(strings.TrimRight(string(line), "\r\n"))
		if err == nil && t.Secret == "" {
			continue
		}
		what := [2]string{t.Secret, t.Prefix}
		if before := seen[what]; err == nil && before > 0 {
			err = fmt.Errorf("line %d has the same secret for the same prefix", before)
		}
		if err != nil {
			return nil, usagef("serve: %s:%d: %w", name, number, err)
		}
		seen[what] = number
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// parseToken reads a line, which is no token if it is empty or a comment.
func parseToken(line string) (t web.Token, err error) {
	const blanks = " \t"
	line = strings.TrimLeft(line, blanks)
	if line == "" || line[0] == '#' {
		return t, nil
	}
	field := func() (word string) {
		end := strings.IndexAny(line+" ", blanks)
		word, line = line[:end], strings.TrimLeft(line[end:], blanks)
		return word
	}
	secret := field()
	right := field()
	if len(secret) < minSecret {
		return t, fmt.Errorf("the secret has %d characters, and needs %d", len(secret), minSecret)
	}
	for _, c := range []byte(secret) {
		if c <= ' ' || c > '~' {
			return t, errors.New("the secret is not all printable ASCII, which every client sends alike")
		}
	}
	if right != "read" && right != "write" {
		return t, errors.New("behind the secret there must be read or write")
	}
	if strings.HasPrefix(line, "#") {
		return t, errors.New("a comment has a line of its own")
	}
	prefix := folderPrefix(strings.TrimRight(line, blanks))
	return web.Token{Secret: secret, Write: right == "write", Prefix: prefix}, nil
}
