// Package layers holds the imports of every package of the module against a list, and the table of
// packages in ARCHITECTURE.md against both.
package layers

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kohakuvault/kvault"

// mayImport names what each package may import of this module, and of other modules, outside its
// tests. A package that is not listed may not exist.
var mayImport = map[string]struct{ own, others []string }{
	"":                       {[]string{"engine", "engine/sqlite", "internal/backoff", "internal/batches", "internal/contenttype", "internal/unexported", "internal/writeback"}, nil},
	"column":                 {[]string{"", "column/internal/limits", "engine", "internal/plain", "internal/stats", "internal/unexported"}, []string{"github.com/fxamacker/cbor/v2", "github.com/vmihailenco/msgpack/v5", "github.com/vmihailenco/msgpack/v5/msgpcode"}},
	"column/internal/limits": {[]string{"engine"}, nil},
	"column/exchange": {[]string{"", "column", "column/exchange/internal/parquet", "internal/batches", "internal/jsonform", "internal/unexported"},
		[]string{"github.com/apache/arrow-go/v18/arrow", "github.com/apache/arrow-go/v18/arrow/array",
			"github.com/apache/arrow-go/v18/arrow/decimal128", "github.com/apache/arrow-go/v18/arrow/decimal256",
			"github.com/apache/arrow-go/v18/arrow/ipc", "github.com/apache/arrow-go/v18/arrow/memory", "github.com/google/flatbuffers/go"}},
	"column/exchange/internal/parquet": {nil, []string{"github.com/apache/arrow-go/v18/arrow", "github.com/apache/arrow-go/v18/arrow/array",
		"github.com/apache/arrow-go/v18/arrow/decimal128", "github.com/apache/arrow-go/v18/arrow/decimal256",
		"github.com/apache/arrow-go/v18/arrow/float16", "github.com/apache/arrow-go/v18/arrow/ipc", "github.com/apache/arrow-go/v18/arrow/memory",
		"github.com/andybalholm/brotli", "github.com/klauspost/compress/snappy", "github.com/klauspost/compress/zstd", "github.com/pierrec/lz4/v4"}},
	"typed": {[]string{"", "internal/jsonform", "internal/plain"}, []string{"github.com/fxamacker/cbor/v2", "github.com/vmihailenco/msgpack/v5",
		"github.com/vmihailenco/msgpack/v5/msgpcode", "golang.org/x/text/encoding", "golang.org/x/text/transform"}},
	"engine":                           {},
	"engine/enginetest":                {[]string{"engine", "internal/ctxtest"}, []string{"github.com/google/go-cmp/cmp"}},
	"engine/mem":                       {[]string{"engine"}, []string{"github.com/ncruces/wbt"}},
	"engine/s3":                        {[]string{"engine", "engine/s3/internal/client", "engine/s3/internal/codec", "engine/s3/internal/columns", "engine/s3/internal/object"}, nil},
	"engine/s3/internal/codec":         {[]string{"engine"}, nil},
	"engine/s3/internal/columns":       {[]string{"engine", "engine/s3/internal/object"}, nil},
	"engine/s3/internal/object":        {},
	"engine/s3/internal/objecttest":    {[]string{"engine/s3/internal/object"}, nil},
	"engine/s3/internal/s3test":        {[]string{"engine/s3/internal/object", "engine/s3/internal/object/memory"}, nil},
	"engine/s3/internal/object/memory": {[]string{"engine/s3/internal/object"}, nil},
	"engine/s3/internal/client": {[]string{"engine", "engine/s3/internal/object"},
		[]string{"github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/aws/transport/http", "github.com/aws/aws-sdk-go-v2/config",
			"github.com/aws/aws-sdk-go-v2/service/s3", "github.com/aws/aws-sdk-go-v2/service/s3/types",
			"github.com/aws/smithy-go", "github.com/aws/smithy-go/logging", "github.com/aws/smithy-go/transport/http"}},
	"engine/sqlite": {[]string{"engine", "engine/sqlite/internal/driver", "engine/sqlite/internal/fastread", "engine/sqlite/internal/format",
		"engine/sqlite/internal/salvage/rawfile", "engine/sqlite/internal/salvage", "engine/sqlite/internal/walvfs", "internal/process"}, nil},
	"engine/sqlite/internal/format":     {[]string{"engine"}, nil},
	"engine/sqlite/internal/fileformat": {},
	"engine/sqlite/internal/fastread":   {[]string{"engine/sqlite/internal/fileformat"}, nil},
	"engine/sqlite/internal/salvage": {[]string{"engine", "engine/sqlite/internal/fileformat", "engine/sqlite/internal/format",
		"engine/sqlite/internal/salvage/rawfile"}, nil},
	"engine/sqlite/internal/salvage/rawfile": {[]string{"engine/sqlite/internal/fileformat"}, nil},
	"engine/sqlite/internal/driver": {[]string{"engine/sqlite/internal/walvfs"}, []string{"github.com/ncruces/go-sqlite3",
		"github.com/ncruces/go-sqlite3/vfs", "github.com/ncruces/go-sqlite3/vfs/mvcc", "golang.org/x/sys/unix"}},
	"engine/sqlite/internal/walvfs":  {nil, []string{"github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3/vfs", "golang.org/x/sys/unix"}},
	"engine/sqlite/internal/faultfs": {[]string{"engine/sqlite/internal/walvfs"}, []string{"github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3/vfs"}},

	"internal/backoff":          {},
	"internal/batches":          {},
	"internal/contenttype":      {nil, []string{"github.com/gabriel-vasile/mimetype"}},
	"internal/jsonform":         {nil, []string{"github.com/go-json-experiment/json/jsontext"}},
	"internal/plain":            {nil, []string{"github.com/fxamacker/cbor/v2", "github.com/vmihailenco/msgpack/v5"}},
	"internal/process":          {},
	"internal/ctxtest":          {[]string{"engine", "internal/race"}, nil},
	"internal/gitignore":        {},
	"internal/race":             {},
	"internal/unexported":       {[]string{"engine"}, nil},
	"internal/writeback":        {[]string{"engine"}, []string{"github.com/tidwall/btree"}},
	"internal/layers":           {},
	"internal/manual":           {[]string{"internal/cli"}, []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}},
	"internal/reliability":      {},
	"internal/cluster":          {},
	"internal/cluster/workload": {[]string{"", "engine"}, nil},
	"internal/stats":            {},
	"internal/filetree":         {nil, []string{"golang.org/x/sys/unix"}},
	"internal/describe":         {[]string{"", "column", "internal/stats"}, nil},
	"internal/query":            {[]string{"", "column", "internal/batches"}, nil},
	"internal/pyenv":            {},
	"internal/pyexchange":       {},
	"internal/pytables":         {},
	"internal/transact":         {[]string{""}, nil},
	"internal/singletest":       {[]string{"", "engine", "engine/sqlite"}, nil},
	"internal/replicate":        {[]string{"", "column", "engine", "internal/unexported"}, nil},
	"internal/cli": {[]string{"", "column", "column/exchange", "engine", "engine/s3", "internal/contenttype", "internal/describe", "internal/filetree", "internal/gitignore", "internal/jsonform", "internal/mount", "internal/process", "internal/query", "internal/replicate", "internal/transact", "internal/vaultjson", "typed", "web"},
		[]string{"github.com/dustin/go-humanize", "github.com/schollz/progressbar/v3", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/crypto/acme/autocert", "golang.org/x/term"}},
	"web":                  {[]string{"", "web/internal/access", "web/internal/api", "web/internal/archive", "web/internal/dav", "web/internal/guard", "web/internal/page", "web/internal/preview", "web/internal/resume", "web/internal/thumb", "web/internal/values", "web/internal/wire"}, nil},
	"web/internal/guard":   {[]string{"", "web/internal/access", "web/internal/wire"}, []string{"github.com/VictoriaMetrics/metrics"}},
	"web/internal/page":    {[]string{"", "column", "column/exchange", "internal/contenttype", "internal/filetree", "web/internal/access", "web/internal/preview", "web/internal/wire"}, []string{"github.com/dustin/go-humanize"}},
	"web/internal/dav":     {[]string{"", "engine", "internal/filetree", "internal/transact", "web/internal/access", "web/internal/values", "web/internal/wire"}, []string{"golang.org/x/net/webdav"}},
	"web/internal/resume":  {[]string{"", "web/internal/access", "web/internal/wire"}, []string{"github.com/tus/tusd/v2/pkg/handler", "github.com/tus/tusd/v2/pkg/memorylocker", "golang.org/x/exp/slog"}},
	"web/internal/api":     {[]string{"", "column", "column/exchange", "engine", "internal/describe", "internal/jsonform", "internal/transact", "internal/vaultjson", "web/internal/access", "web/internal/wire"}, nil},
	"web/internal/archive": {[]string{"", "web/internal/access", "web/internal/stream", "web/internal/wire"}, nil},
	"web/internal/thumb":   {[]string{"", "web/internal/access", "web/internal/wire"}, []string{"golang.org/x/image/draw", "golang.org/x/image/webp"}},
	"web/internal/preview": {[]string{"", "internal/contenttype", "web/internal/access", "web/internal/wire"}, []string{"github.com/microcosm-cc/bluemonday", "github.com/yuin/goldmark", "github.com/yuin/goldmark/ast", "github.com/yuin/goldmark/extension", "github.com/yuin/goldmark/parser", "github.com/yuin/goldmark/renderer/html", "golang.org/x/net/html"}},
	"web/internal/values":  {[]string{"", "internal/transact", "web/internal/access", "web/internal/stream", "web/internal/wire"}, nil},
	"web/internal/stream":  {[]string{""}, nil},
	"web/internal/wire":    {[]string{"", "engine"}, nil},
	"web/internal/access":  {},
	"internal/mount":       {[]string{""}, []string{"github.com/hanwen/go-fuse/v2/fs", "github.com/hanwen/go-fuse/v2/fuse"}},
	"internal/vaultjson":   {[]string{"", "column"}, nil},
	"cmd/kvault":           {[]string{"internal/cli"}, nil},
	"examples/media":       {[]string{"", "column"}, nil},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-tags=fuse", "-json=ImportPath,Imports,Deps"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImports(t *testing.T) {
	packages := list(t, module+"/...")
	if len(packages) != len(mayImport) {
		t.Errorf("%d packages in the module, %d in mayImport", len(packages), len(mayImport))
	}
	for _, p := range packages {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		may, known := mayImport[name]
		if !known {
			t.Errorf("package %q is not in mayImport: add it there and to the table in ARCHITECTURE.md", name)
		}
		for _, imp := range p.Imports {
			own, inside := strings.CutPrefix(imp, module)
			switch {
			case inside && !slices.Contains(may.own, strings.TrimPrefix(own, "/")):
				t.Errorf("%q imports %q, which lies in no direction it may", name, imp)
			case !inside && strings.Contains(strings.Split(imp, "/")[0], ".") && !slices.Contains(may.others, imp):
				t.Errorf("%q imports %q: a new dependency needs its reason in docs/decisions/0001-dependencies.md", name, imp)
			}
		}
	}
}

var tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

// The table of ARCHITECTURE.md has each package once, and none above a package that imports it.
func TestTable(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	row := map[string]int{}
	for i, m := range tableRow.FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		if name == "kvault" {
			name = ""
		}
		if _, known := mayImport[name]; !known || row[name] != 0 {
			t.Errorf("ARCHITECTURE.md: the row of %q is a second one, or of no package", name)
		}
		row[name] = i + 1
	}
	for name, may := range mayImport {
		if row[name] == 0 {
			t.Errorf("ARCHITECTURE.md has no row for %q", name)
		}
		for _, imp := range may.own {
			if row[imp] < row[name] {
				t.Errorf("ARCHITECTURE.md: the row of %q stands above that of %q, which imports it", imp, name)
			}
		}
	}
}

// Whoever imports the vault gets the vault, not the command, a web server, or a second database.
func TestLibraryStaysSmall(t *testing.T) {
	heavy := []string{"net/http", "database/sql", "github.com/spf13/cobra", "github.com/google/go-cmp/cmp", "crypto/tls",
		"github.com/apache/arrow-go/v18/arrow"}
	for _, p := range list(t, module, module+"/column", module+"/engine/sqlite") {
		for _, h := range heavy {
			if slices.Contains(p.Deps, h) {
				t.Errorf("importing %s pulls in %s", p.ImportPath, h)
			}
		}
		for _, d := range p.Deps {
			if strings.HasPrefix(d, "github.com/aws/") {
				t.Errorf("importing %s pulls in %s: only engine/s3 may", p.ImportPath, d)
			}
		}
	}
}

// Fast reads can be taken away with their folder: one file of the engine knows of them.
func TestFastReadsHaveOneDoor(t *testing.T) {
	files, err := filepath.Glob("../../engine/sqlite/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			if strings.HasSuffix(imp.Path.Value, `/fastread"`) && !strings.HasPrefix(filepath.Base(file), "fastread") {
				t.Errorf("%s imports fastread: only fastread.go and its tests may", file)
			}
		}
	}
}
