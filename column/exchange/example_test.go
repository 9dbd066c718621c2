package exchange_test

import (
	"bytes"
	"context"
	"fmt"
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
