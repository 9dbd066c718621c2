package cli

import (
	"strings"
	"testing"
)

// Usage errors are in this command's words, also those that pflag finds.
func TestFlagErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"ls", "--limit", "x"}, `--limit: "x" is not a whole number`},
		{[]string{"ls", "--limit", "99999999999999999999"}, "--limit: 99999999999999999999 is too large"},
		{[]string{"ls", "--busy-timeout", "5"}, `--busy-timeout: "5" is not a duration, such as 500ms, 10s or 2m`},
		{[]string{"ls", "--json=maybe"}, `--json: "maybe" is neither true nor false`},
		{[]string{"col", "show", "a", "--from", "1.5"}, `--from: "1.5" is not a whole number`},
		{[]string{"col", "append", "a", "--format", "xls"}, `--format: "xls": must be one of `},
		{[]string{"ls", "-Z"}, "unknown flag: -Z"},
		{[]string{"ls", "--limit"}, "--limit needs a value"},
		{[]string{"ls", "--=x"}, `"--=x" is not a flag`},
	} {
		s := newSession(t)
		o := s.run("", tt.args...)
		if o.code != exitUsage || !strings.HasPrefix(o.err, "kvault: "+tt.want) {
			t.Errorf("%q: %d, %q, want %q", tt.args, o.code, o.err, tt.want)
		}
	}
}

func TestFlagErrorsOfVariables(t *testing.T) {
	for name, want := range map[string]string{
		"KVAULT_JSON=maybe":       `KVAULT_JSON: "maybe" is neither true nor false`,
		"KVAULT_BUSY_TIMEOUT=5":   `KVAULT_BUSY_TIMEOUT: "5" is not a duration, such as 500ms, 10s or 2m`,
		"KVAULT_DURABILITY=never": `KVAULT_DURABILITY: "never": must be one of normal, full`,
	} {
		s := newSession(t)
		variable, value, _ := strings.Cut(name, "=")
		s.env[variable] = value
		if o := s.run("", "rm", "k"); o.code != exitUsage || !strings.Contains(o.err, want) {
			t.Errorf("%s: %d, %q, want %q", name, o.code, o.err, want)
		}
	}
}
