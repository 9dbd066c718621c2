package plan

import (
	"io"
	"slices"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// Expect is the checksum that every entrant of the case must report.
func (c *Case) Expect(d *contract.Data) (contract.Checksum, error) {
	sum := uint64(0)
	switch c.Workload {
	case "put":
		for i := range contract.Samples(c.Ops) {
			sum += contract.Fold(i, d.Value(i, c.Size))
		}
	case "replace":
		for op := range contract.Samples(c.Ops) {
			i := d.Pick(op, c.Keys)
			sum += contract.Fold(i, d.Value(i, c.Size))
		}
	case "get", "mixed":
		for op := range c.Ops {
			if i := d.Pick(op, c.Keys); c.Workload == "get" || op%10 != 0 {
				sum += contract.Fold(i, d.Value(i, c.Size))
			}
		}
	case "list":
		sum = listed(d, c.Keys, max(c.Ops/c.Keys, 1))
	case "tree":
		sum, err := contract.FoldTree(c.Path)
		return contract.Checksum(sum), err
	case "streamin", "streamout":
		f := &contract.Folder{}
		if _, err := io.Copy(f, d.Stream(c.Size)); err != nil {
			return 0, err
		}
		sum = f.Sum()
	case "range":
		buf := make([]byte, c.Batch)
		for op := range c.Ops {
			off := d.Pick(op, c.Size-c.Batch)
			for i := range buf {
				buf[i] = d.Pool[(off+int64(i))%int64(len(d.Pool))]
			}
			sum += contract.Fold(op, buf)
		}
	case "extend", "append":
		sum = elements(d, c.Ops)
	case "scan":
		sum = elements(d, c.Keys)
	case "element":
		for op := range c.Ops {
			sum += uint64(d.Element(d.Pick(op, c.Keys)))
		}
	}
	return contract.Checksum(sum), nil
}

func listed(d *contract.Data, n, times int64) (sum uint64) {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = d.Key(int64(i))
	}
	slices.Sort(keys)
	for range times {
		for _, key := range keys {
			sum = contract.FoldKey(sum, key)
		}
	}
	return sum
}

func elements(d *contract.Data, n int64) (sum uint64) {
	for i := range n {
		sum += uint64(d.Element(i))
	}
	return sum
}
