package kvault_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is what the package's files declare.
type source struct {
	names    map[string]bool // exported: Open, Vault.Put, Options.Table
	examples map[string]*doc.Example
}

func parseSource(t *testing.T) source {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	src := source{names: map[string]bool{}, examples: map[string]*doc.Example{}}
	fset := token.NewFileSet()
	for _, path := range paths {
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			src.declare(file)
			continue
		}
		for _, e := range doc.Examples(file) {
			src.examples["Example"+e.Name] = e
		}
	}
	return src
}

func (s source) declare(file *ast.File) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			s.names[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s.declareSpec(spec)
			}
		}
	}
}

// receiver is "Vault." for a method of Vault or *Vault.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	return typ.(*ast.Ident).Name + "."
}

func (s source) declareSpec(spec ast.Spec) {
	switch d := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range d.Names {
			s.names[name.Name] = true
		}
	case *ast.TypeSpec:
		s.names[d.Name.Name] = true
		if st, ok := d.Type.(*ast.StructType); ok {
			for _, field := range st.Fields.List {
				for _, name := range field.Names {
					s.names[d.Name.Name+"."+name.Name] = true
				}
			}
		}
	}
}

var (
	codeSpan = regexp.MustCompile("`([^`]*)`")
	goName   = regexp.MustCompile(`^\*?([A-Z]\w*(?:\.[A-Z]\w*)?)`)
)

// pythonHeader is how every table of docs/python.md begins.
const pythonHeader = "| Python | Go | Example |"

// tableProblems says what is wrong with the tables of a text such as docs/python.md, and how many
// rows they have.
func tableProblems(text string, src source) (rows int, problems []string) {
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") || line == pythonHeader || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		bad := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("line %d: ", i+1)+fmt.Sprintf(format, args...))
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			bad("%d columns, want 3", len(cells))
			continue
		}
		for _, span := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
			if m := goName.FindStringSubmatch(span[1]); m != nil && !src.names[m[1]] {
				bad("the package has no %s", m[1])
			}
		}
		examples := codeSpan.FindAllStringSubmatch(cells[2], -1)
		if len(examples) == 0 {
			bad("no Example")
		}
		for _, span := range examples {
			if src.examples[span[1]] == nil {
				bad("there is no %s", span[1])
			}
		}
	}
	return rows, problems
}

func readDoc(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocsPython(t *testing.T) {
	rows, problems := tableProblems(readDoc(t, "docs/python.md"), parseSource(t))
	for _, p := range problems {
		t.Errorf("docs/python.md, %s", p)
	}
	if rows < 60 {
		t.Errorf("docs/python.md has %d rows", rows)
	}
}

// The test of the tables can fail.
func TestDocsTableProblems(t *testing.T) {
	src := source{
		names:    map[string]bool{"Open": true, "Vault.Put": true},
		examples: map[string]*doc.Example{"ExampleOpen": {}},
	}
	for row, want := range map[string]string{
		"| `a` | `Open(ctx)`, `*Vault.Put`, `b` | `ExampleOpen` |": "",
		"| `a` | `Open` | `ExampleOpened` |":                       "line 3: there is no ExampleOpened",
		"| `a` | `Open` | |":                                       "line 3: no Example",
		"| `a` | `Open` | ExampleOpen |":                           "line 3: no Example",
		"| `a` | `Vault.Gone` | `ExampleOpen` |":                   "line 3: the package has no Vault.Gone",
		"| `a` | `Open` | `ExampleOpen` | more |":                  "line 3: 4 columns, want 3",
	} {
		rows, problems := tableProblems(pythonHeader+"\n| --- | --- | --- |\n"+row+"\n", src)
		if got := strings.Join(problems, "; "); rows != 1 || got != want {
			t.Errorf("%s: %d rows, problems %q, want %q", row, rows, got, want)
		}
	}
}

// What the reference of the Python package documents; each must be in the first column.
var pythonReference = []string{
	"KVault(path)", "path", "chunk_size=1048576", "retries=4", "backoff_base=0.02", `table="kvault"`, "enable_wal=True",
	"page_size=32768", "mmap_size=268435456", "cache_kb=100000", "with KVault(path) as vault:", "close()",
	"put(key, value)", "put_file(key, reader)", "put_file(size=None)", "put_file(chunk_size=None)", "get(key)",
	"get(key, default)", "get_to_file(key, writer)", "get_to_file(chunk_size=None)", "delete(key)", "exists(key)",
	"vault[key]", "vault[key] = value", "del vault[key]", "key in vault", "len(vault)", "keys()", "values()", "items()",
	"for key in vault", "pop(key)", "setdefault(key, value)", "update({...})", "clear()",
	"with vault.cache(cap_bytes)", "cache(cap_bytes)", "cache(flush_threshold=None)", "cache(auto_flush=True)",
	"enable_cache(cap_bytes=67108864)", "enable_cache(flush_threshold=16777216)", "enable_cache(flush_interval=None)",
	"enable_cache(flush_interval=5.0)", "enable_cache()", "flush_cache()", "disable_cache()", "with vault.lock_cache():",
	"optimize()", "KohakuVaultError", "NotFound", "KeyError", "NotFound.key", "DatabaseBusy", "InvalidArgument", "IoError",
}

func TestDocsPythonIsComplete(t *testing.T) {
	var spans []string
	for line := range strings.Lines(readDoc(t, "docs/python.md")) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, span := range codeSpan.FindAllStringSubmatch(first, -1) {
			spans = append(spans, span[1])
		}
	}
	for _, name := range pythonReference {
		if !slices.Contains(spans, name) {
			t.Errorf("docs/python.md has no row for %s", name)
		}
	}
}

func TestDocsExamplesPrint(t *testing.T) {
	for name, e := range parseSource(t).examples {
		if e.Output == "" {
			t.Errorf("%s has no Output comment, so it is never run", name)
		}
	}
}

// The Go code of the README is a program that compiles and prints what is said of it.
func TestDocsReadmeCode(t *testing.T) {
	before, rest, found := strings.Cut(readDoc(t, "README.md"), "```go\n")
	code, _, closed := strings.Cut(rest, "```")
	said := regexp.MustCompile("`go run \\.` prints \"(.*)\"").FindStringSubmatch(before)
	if !found || !closed || said == nil {
		t.Fatal("README.md has no block of Go code, or does not say what it prints")
	}
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "notes.exe")
	if err := os.WriteFile(file, []byte(code), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != said[1]+"\n" {
		t.Errorf("it prints %q, %v; want %q", out, err, said[1])
	}
}
