package plan

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

// Facts is how large the case is, in words.
func (c *Case) Facts() string {
	var facts []string
	add := func(n int64, format string) {
		if n > 0 {
			facts = append(facts, fmt.Sprintf(format, humanize.Comma(n)))
		}
	}
	switch c.Workload {
	case "tree":
		facts = append(facts, "all files of the folder")
	case "streamin", "streamout":
		add(c.Size, "%s bytes")
	case "range":
		add(c.Ops, "%s reads")
		add(c.Size, "in %s bytes")
	case "extend", "append":
		add(c.Ops, "%s elements")
	case "scan", "element":
		add(c.Keys, "%s elements")
		add(c.Ops, "%s reads")
	case "list":
		add(c.Keys, "%s keys")
	default:
		add(c.Ops, "%s operations")
		add(c.Size, "values of %s bytes")
		add(c.Keys, "%s keys stored")
	}
	if c.Workload != "extend" && c.Workload != "range" && c.Batch > 1 {
		add(c.Batch, "%s to a transaction")
	}
	if c.Workers > 1 {
		add(int64(c.Workers), "%s workers")
	}
	return strings.Join(facts, ", ")
}

// Reductions are where the scale measures less than a reader may expect, and why.
func (s Scale) Reductions() []string {
	lines := []string{
		fmt.Sprintf("Columns beside Python (`few`) have %s elements, of which %s are read at random: one read costs KohakuVault 0.8.6 the more the longer "+
			"the column is", humanize.Comma(s.Few), humanize.Comma(s.FewPicks)),
		fmt.Sprintf("Streams beside Python (`few`) have %s, since KohakuVault keeps a value in one row, of at most 1,000,000,000 bytes", humanize.IBytes(uint64(s.FewStream))),
		"Durable puts and range reads are without Python: those packages offer no sync of a commit, and no read of a part",
		"The stores of `growth` were filled in the order of the keys, all others in a random order",
	}
	for _, keys := range s.Growth {
		if keys > s.GrowthOfAll {
			lines = append(lines, fmt.Sprintf("At %s keys only the vault and the floor take part, for the time that filling takes", humanize.Comma(keys)))
		}
	}
	return lines
}
