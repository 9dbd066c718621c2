package column_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// media makes a vault of three binaries, with what is known of them in columns of equal length.
func media(ctx context.Context, v *kvault.Vault) (*column.Table[Media], *column.Column[int64]) {
	ids, err := column.Create(ctx, v, "ids", column.Int64, nil)
	if err != nil {
		log.Fatal(err)
	}
	names, err := column.Create(ctx, v, "names", column.String, nil)
	if err != nil {
		log.Fatal(err)
	}
	sizes, err := column.Create(ctx, v, "sizes", column.Int64, nil)
	if err != nil {
		log.Fatal(err)
	}
	table, err := column.NewTable(
		column.Bind(ids, func(m *Media) *int64 { return &m.ID }),
		column.Bind(names, func(m *Media) *string { return &m.Name }),
		column.Bind(sizes, func(m *Media) *int64 { return &m.Size }))
	if err != nil {
		log.Fatal(err)
	}
	for id, name := range []string{"cat.jpg", "film.mp4", "note.txt"} {
		binary := make([]byte, []int{300 << 10, 2 << 20, 40}[id])
		err := v.Update(ctx, func(tx *kvault.Tx) error {
			if err := tx.Put(ctx, fmt.Sprintf("blob:%d", id), binary); err != nil {
				return err
			}
			return table.In(tx).Append(ctx, Media{int64(id), name, int64(len(binary))})
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	return table, sizes
}

type Media struct {
	ID   int64
	Name string
	Size int64
}

// Which of the media are large? No binary is read for it, and names only of those that are.
func ExampleTable() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	table, sizes := media(ctx, v)

	large := sizes.Where(ctx, func(size int64) bool { return size > 1<<20 })
	for m, err := range table.Rows(ctx, large) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.ID, m.Name, m.Size)
	}
	// Output: 1 film.mp4 2097152
}

func ExampleSummarize() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	_, sizes := media(ctx, v)

	s, err := column.Summarize(ctx, sizes, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Count, s.Sum, s.Min, s.Max, s.Mean)
	// Output: 3 2404392 40 2097152 801464
}

func ExampleColumn_Pick() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	_, sizes := media(ctx, v)

	picked, err := sizes.Pick(ctx, []int64{-1, 0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(picked)
	// Output: [40 307200]
}

// A column can be made in the transaction that fills it.
func ExampleCreate() {
	ctx := context.Background()
	v, done := openExample()
	defer done()

	err := v.Update(ctx, func(tx *kvault.Tx) error {
		words, err := column.Create(ctx, tx, "words", column.String, nil)
		if err != nil {
			return err
		}
		return words.Extend(ctx, []string{"all", "or", "nothing"})
	})
	if err != nil {
		log.Fatal(err)
	}
	list, err := column.List(ctx, v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list[0].Name, list[0].Len)
	// Output: words 3
}

func ExampleMigrate() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	media(ctx, v)

	migrated, err := column.Migrate(ctx, v, "names")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(migrated)
	// Output: false
}
