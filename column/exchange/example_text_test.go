package exchange_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

// A table whose fields are separated by semicolons, where a null is written NA, goes out as tabs.
func ExampleImport_delimiter() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	rows := strings.NewReader("city;height\nBern;540\n\"Biel; Bienne\";NA\n")
	n, err := exchange.Import(ctx, v, rows, exchange.CSV, &exchange.ImportOptions{
		Types:     map[string]string{"city": "str", "height": "i64:null"},
		Delimiter: ';',
		Null:      "NA",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "rows")
	if _, err := exchange.Export(ctx, v, os.Stdout, exchange.TSV, []string{"height", "city"}, nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 rows
	// "height"	"city"
	// 540	"Bern"
	// 	"Biel; Bienne"
}

// The name of a file says the format and whether it is compressed.
func ExampleFormatOf() {
	for _, name := range []string{"sizes.csv.gz", "sizes.tsv", "sizes.xlsx"} {
		format, known := exchange.FormatOf(name)
		fmt.Println(name, format, known, exchange.GzipName(name))
	}
	// Output:
	// sizes.csv.gz csv true true
	// sizes.tsv tsv true false
	// sizes.xlsx  false false
}
