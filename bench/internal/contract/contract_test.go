package contract_test

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

func data(t *testing.T) *contract.Data {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pool")
	if err := contract.WritePool(path, 7); err != nil {
		t.Fatal(err)
	}
	d, err := contract.LoadData(path, 7)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseReadsWhatArgsWrote(t *testing.T) {
	want := contract.Params{Workload: "put", Via: "cached", Fill: true, Dir: "d", Pool: "p", Seed: 3, Keys: 4, Ops: 5, Warm: 6, Size: 7,
		Batch: 8, Workers: 9, Full: true, Ordered: true, Path: "x", CPUProfile: "y"}
	got, err := contract.Parse(want.Args())
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-workload", "put", "-dir", "d"}, {"-workload", "put", "-dir", "d", "-pool", "p", "more"}, {"-unknown", "1"}, {"-ops", "many"},
		{"-full=perhaps"},
	} {
		if _, err := contract.Parse(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestLoadDataRefusesAnotherPool(t *testing.T) {
	if _, err := contract.LoadData(filepath.Join(t.TempDir(), "none"), 1); err == nil {
		t.Error("a missing pool: no error")
	}
}

func TestKeysAreDistinctAndScattered(t *testing.T) {
	d := data(t)
	seen := map[string]bool{}
	ascending := 0
	for i := range int64(10_000) {
		key := d.Key(i)
		if seen[key] || len(key) != 18 {
			t.Fatalf("key %d is %q", i, key)
		}
		seen[key] = true
		if i > 0 && key > d.Key(i-1) {
			ascending++
		}
	}
	if ascending < 4500 || ascending > 5500 {
		t.Errorf("%d of 10000 keys are greater than the one before", ascending)
	}
}

func TestKeyOrder(t *testing.T) {
	d := data(t)
	seen := map[int64]bool{}
	order := d.KeyOrder(1000)
	for n, i := range order {
		if n > 0 && d.Key(i) <= d.Key(order[n-1]) || i < 0 || i >= 1000 || seen[i] {
			t.Fatalf("index %d is number %d", i, n)
		}
		seen[i] = true
	}
	if len(order) != 1000 {
		t.Errorf("%d indexes", len(order))
	}
}

func TestFoldSeesChanges(t *testing.T) {
	d := data(t)
	value := bytes.Clone(d.Value(3, 10_000))
	whole := contract.Fold(3, value)
	for name, other := range map[string]uint64{
		"another index": contract.Fold(4, value), "a shorter one": contract.Fold(3, value[:9999]), "nothing": contract.Fold(3, nil),
		"another value": contract.Fold(3, d.Value(4, 10_000)),
	} {
		if other == whole {
			t.Errorf("%s has the same checksum", name)
		}
	}
	value[4096]++
	if contract.Fold(3, value) == whole {
		t.Error("a changed page has the same checksum")
	}
}

func TestFolderAndComparerAreIndependentOfTheWrites(t *testing.T) {
	d := data(t)
	const size = contract.PoolBytes + 77_777
	sums := map[uint64]bool{}
	for _, step := range []int{1 << 20, 65_536, 10_007} {
		f, c := &contract.Folder{}, d.Compare()
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, c)}, struct{ io.Reader }{d.Stream(size)}, make([]byte, step)); err != nil {
			t.Fatal(err)
		}
		if c.N != size {
			t.Errorf("%d bytes compared, want %d", c.N, int64(size))
		}
		sums[f.Sum()] = true
	}
	if len(sums) != 1 {
		t.Errorf("%d different checksums", len(sums))
	}
	if _, err := d.Compare().Write([]byte("something else")); err == nil {
		t.Error("a wrong stream: no error")
	}
}

func TestSamplesAreFew(t *testing.T) {
	for _, n := range []int64{0, 1, 255, 256, 100_000} {
		count := int64(0)
		for i := range contract.Samples(n) {
			if i < 0 || i >= n {
				t.Errorf("sample %d of %d", i, n)
			}
			count++
		}
		if count < min(n, 256) || count > 512 {
			t.Errorf("%d samples of %d", count, n)
		}
	}
}

func TestChecksumAsText(t *testing.T) {
	b, err := json.Marshal(contract.Checksum(0xfedcba9876543210))
	if err != nil || string(b) != `"fedcba9876543210"` {
		t.Fatalf("%s, %v", b, err)
	}
	var c contract.Checksum
	if err := json.Unmarshal(b, &c); err != nil || c != 0xfedcba9876543210 {
		t.Errorf("%x, %v", uint64(c), err)
	}
	for _, bad := range []string{`"x"`, `5`, `""`} {
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestSectionCounts(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "cpu")
	s, err := contract.Begin(profile)
	if err != nil {
		t.Fatal(err)
	}
	var r contract.Result
	if err := s.End(&r); err != nil {
		t.Fatal(err)
	}
	if r.ElapsedNS <= 0 || r.PeakBytes < 1<<20 {
		t.Errorf("%+v", r)
	}
	if _, err := contract.Begin(filepath.Join(profile, "below a file")); err == nil {
		t.Error("a profile that cannot be written: no error")
	}
}
