// Package exchange carries columns to other programs and back: as CSV, JSON lines, Arrow and
// Parquet.
//
// Columns of equal length are the columns of a table there. Both directions stream: they hold some
// thousand rows in memory, or some megabytes, whatever the length.
package exchange

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// Format is how a table is written.
type Format string

// The formats. Elements of type bytes are base64 (RFC 4648, with padding) where a format is text.
//
// Vectors are lists in JSON, in one another if they have several dimensions, and lists of one
// length (FixedSizeList) in Arrow and Parquet. Arrays of differing shapes, and values in
// MessagePack or CBOR, are JSON everywhere: in a field of its own in NDJSON, else as text. What
// JSON has no form for becomes a string, bytes as base64, and a number that is not finite becomes
// null, so those do not come back as they were. A column does not say which of its texts are JSON,
// so Import needs its type, or the column.
const (
	// CSV has a first line of names. Texts are in quotes and come back byte for byte, and
	// floating-point numbers are as short as they can be and come back bit for bit, apart from
	// which NaN it was. They have a point or an exponent, by which other programs know them from
	// integers, in NDJSON and Lines too. Null is an empty field without quotes.
	//
	// Reading also takes spaces around a quoted field, as DuckDB does, and around a number, as
	// pandas does, and quotes within a field that does not begin with one, as they stand. A table
	// with one column is an error if a tab, a semicolon or a bar parts all of its first lines into
	// as many fields, unless Delimiter is given. An empty line is a row where the table has one
	// column, and nothing where it has several. A carriage return alone ends a line if it ends the
	// first.
	CSV Format = "csv"
	// TSV is CSV with tabs in the place of commas.
	TSV Format = "tsv"
	// NDJSON has one object a line, with the columns' names as its keys. Numbers that JSON cannot
	// write are the strings "NaN", "+Inf" and "-Inf".
	NDJSON Format = "ndjson"
	// Lines has the elements of a row on one line, separated by tabs, without names. Tabs and line
	// ends inside of texts are not marked, so it is for people, and for a single column of texts
	// without line ends.
	Lines Format = "lines"
	// Arrow is the Arrow IPC file format, also known as Feather version 2.
	Arrow Format = "arrow"
	// Arrows is the Arrow IPC streaming format, which pipes and network services carry.
	Arrows Format = "arrows"
	// Parquet is compressed with Zstandard.
	Parquet Format = "parquet"
)

// Bounds of what is held in memory.
const (
	rowsAtOnce  = 8192
	bytesAtOnce = 8 << 20
)

// open opens columns in a transaction, and checks that they are of one length. Their names are
// those with the prefix.
func open(ctx context.Context, tx *kvault.Tx, prefix string, names []string) ([]column.Dynamic, int64, error) {
	if len(names) == 0 {
		return nil, 0, invalid("", "no columns: name at least one")
	}
	columns := make([]column.Dynamic, len(names))
	seen := map[string]bool{}
	var length int64
	for i, name := range names {
		name = prefix + name
		if seen[name] {
			return nil, 0, invalid(name, "the column is there twice")
		}
		seen[name] = true
		c, err := column.OpenAny(ctx, tx, name)
		if err != nil {
			return nil, 0, err
		}
		n, err := c.Len(ctx)
		if err != nil {
			return nil, 0, err
		}
		if columns[i] = c; i == 0 {
			length = n
		}
		if n != length {
			return nil, 0, invalid(name, "it has %d elements, but %q has %d: columns of a table are of one length", n, prefix+names[0], length)
		}
	}
	return columns, length, nil
}

func invalid(name, format string, args ...any) error {
	return &kvault.Error{Op: "exchange column", Key: name, Err: fmt.Errorf(format+": %w", append(args, kvault.ErrInvalid)...)}
}

func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &kvault.Error{Op: op, Key: name, Err: err}
}
