package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log"
	"os"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// The columns of a table share a prefix in the vault, which files do not have.
func ExampleExport_prefix() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	for _, table := range []string{"cars/", "bikes/"} {
		rows := strings.NewReader("name:str,wheels:i64\nof " + table + ",4\n")
		if _, err := exchange.Import(ctx, v, rows, exchange.CSV, &exchange.ImportOptions{Prefix: table}); err != nil {
			log.Fatal(err)
		}
	}

	_, err = exchange.Export(ctx, v, os.Stdout, exchange.NDJSON, nil, &exchange.ExportOptions{Prefix: "bikes/"})
	if err != nil {
		log.Fatal(err)
	}
	// Output: {"name":"of bikes/","wheels":4}
}

func ExampleImport_prefix() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	rows := bytes.NewBufferString("name,wheels\nbicycle,2\n")
	_, err = exchange.Import(ctx, v, rows, exchange.CSV, &exchange.ImportOptions{
		Prefix: "vehicles/",
		Types:  map[string]string{"name": "str", "wheels": "i64"},
	})
	if err != nil {
		log.Fatal(err)
	}
	list, err := column.List(ctx, v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list[0].Name, list[1].Name)
	// Output: vehicles/name vehicles/wheels
}

// Rows that a column's elements choose.
func ExampleExport_rows() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	_, err = exchange.Import(ctx, v, strings.NewReader("name,size\na,3\nb,2000\nc,1500\n"), exchange.CSV,
		&exchange.ImportOptions{Types: map[string]string{"name": "str", "size": "i64"}})
	if err != nil {
		log.Fatal(err)
	}
	sizes, err := column.Open(ctx, v, "size", column.Int64)
	if err != nil {
		log.Fatal(err)
	}
	_, err = exchange.Export(ctx, v, os.Stdout, exchange.CSV, []string{"name", "size"}, &exchange.ExportOptions{
		Rows: func(ctx context.Context, tx *kvault.Tx, _ int64) iter.Seq2[int64, error] {
			return sizes.In(tx).Where(ctx, func(size int64) bool { return size > 1000 })
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// "name","size"
	// "b",2000
	// "c",1500
}
