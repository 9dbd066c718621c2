package column_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/kohakuvault/kvault/column"
)

// The columns of a table of flights, some of which were cancelled: they have no delay.
type Flight struct {
	Day       time.Time
	Departs   time.Time
	Delay     column.Null[int64]
	Cancelled bool
}

func flights(ctx context.Context) (*column.Table[Flight], func()) {
	v, done := openExample()
	days, err := column.Create(ctx, v, "flights/day", column.Date, nil)
	if err != nil {
		log.Fatal(err)
	}
	departures, err := column.Create(ctx, v, "flights/departs", column.TimestampUTC(time.Second), nil)
	if err != nil {
		log.Fatal(err)
	}
	delays, err := column.Create(ctx, v, "flights/delay", column.Nullable(column.Int64), nil)
	if err != nil {
		log.Fatal(err)
	}
	cancelled, err := column.Create(ctx, v, "flights/cancelled", column.Bool, nil)
	if err != nil {
		log.Fatal(err)
	}
	table, err := column.NewTable(
		column.Bind(days, func(f *Flight) *time.Time { return &f.Day }),
		column.Bind(departures, func(f *Flight) *time.Time { return &f.Departs }),
		column.Bind(delays, func(f *Flight) *column.Null[int64] { return &f.Delay }),
		column.Bind(cancelled, func(f *Flight) *bool { return &f.Cancelled }))
	if err != nil {
		log.Fatal(err)
	}
	day := time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)
	err = table.Append(ctx,
		Flight{day, day.Add(10 * time.Hour), column.Null[int64]{V: 2, Valid: true}, false},
		Flight{Day: day, Departs: day.Add(11 * time.Hour), Cancelled: true})
	if err != nil {
		log.Fatal(err)
	}
	return table, done
}

func printFlights(ctx context.Context, table *column.Table[Flight]) {
	for f, err := range table.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		delay := "unknown"
		if f.Delay.Valid {
			delay = fmt.Sprint(f.Delay.V)
		}
		fmt.Println(f.Day.Format(time.DateOnly), f.Departs.Format(time.TimeOnly), delay, f.Cancelled)
	}
}

func ExampleNullable() {
	ctx := context.Background()
	table, done := flights(ctx)
	defer done()
	printFlights(ctx, table)
	// Output:
	// 2013-01-01 10:00:00 2 false
	// 2013-01-01 11:00:00 unknown true
}

func ExampleTable_Set() {
	ctx := context.Background()
	table, done := flights(ctx)
	defer done()

	late, err := table.Get(ctx, -1)
	if err != nil {
		log.Fatal(err)
	}
	late.Cancelled, late.Delay = false, column.Null[int64]{V: 240, Valid: true}
	if err := table.Set(ctx, -1, late); err != nil {
		log.Fatal(err)
	}
	printFlights(ctx, table)
	// Output:
	// 2013-01-01 10:00:00 2 false
	// 2013-01-01 11:00:00 240 false
}

func ExampleTable_Insert() {
	ctx := context.Background()
	table, done := flights(ctx)
	defer done()

	day := time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := table.Insert(ctx, 0, Flight{Day: day, Departs: day.Add(5 * time.Hour)}); err != nil {
		log.Fatal(err)
	}
	printFlights(ctx, table)
	// Output:
	// 2013-01-01 05:00:00 unknown false
	// 2013-01-01 10:00:00 2 false
	// 2013-01-01 11:00:00 unknown true
}

func ExampleTable_Delete() {
	ctx := context.Background()
	table, done := flights(ctx)
	defer done()

	if err := table.Delete(ctx, 1); err != nil {
		log.Fatal(err)
	}
	printFlights(ctx, table)
	// Output: 2013-01-01 10:00:00 2 false
}

func ExampleAllowNulls() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	sizes, err := column.Create(ctx, v, "sizes", column.Int64, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := sizes.Append(ctx, 4096); err != nil {
		log.Fatal(err)
	}

	if err := column.AllowNulls(ctx, v, "sizes"); err != nil {
		log.Fatal(err)
	}
	known, err := column.Open(ctx, v, "sizes", column.Nullable(column.Int64))
	if err != nil {
		log.Fatal(err)
	}
	if err := known.Append(ctx, column.Null[int64]{}); err != nil {
		log.Fatal(err)
	}
	missing, err := known.Count(ctx, func(size column.Null[int64]) bool { return !size.Valid })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(missing)

	first, err := known.Get(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.V, first.Valid)
	// Output:
	// 1
	// 4096 true
}

func ExampleForbidNulls() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	sizes, err := column.Create(ctx, v, "sizes", column.Nullable(column.Int64), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := sizes.Append(ctx, column.Null[int64]{}); err != nil {
		log.Fatal(err)
	}

	fmt.Println(column.ForbidNulls(ctx, v, "sizes"))
	if err := sizes.Set(ctx, 0, column.Null[int64]{V: 4096, Valid: true}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(column.ForbidNulls(ctx, v, "sizes"))
	// Output:
	// column forbid nulls "sizes": element 0 is null
	// <nil>
}

func ExampleTimestamp() {
	tokyo := time.FixedZone("Tokyo", 9*60*60)
	when := time.Date(2013, 1, 1, 5, 15, 0, 0, tokyo)
	for _, codec := range []column.Codec[time.Time]{column.Timestamp(time.Second), column.TimestampUTC(time.Second)} {
		b, err := codec.Append(nil, when)
		if err != nil {
			log.Fatal(err)
		}
		back, err := codec.Decode(b)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(codec.Type(), back)
	}
	// Output:
	// i64:timestamp:s 2013-01-01 05:15:00 +0000 UTC
	// i64:timestamp:s:utc 2012-12-31 20:15:00 +0000 UTC
}
