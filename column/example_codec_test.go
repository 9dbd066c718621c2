package column_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kohakuvault/kvault/column"
)

func ExampleVector() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	embeddings, err := column.Create(ctx, v, "embeddings", column.Vector[float32](3), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := embeddings.Extend(ctx, [][]float32{{1, 0, 0}, {0.6, 0.8, 0}}); err != nil {
		log.Fatal(err)
	}
	query := []float32{0, 1, 0}
	similar := func(x []float32) bool {
		dot := float32(0)
		for i := range x {
			dot += x[i] * query[i]
		}
		return dot > 0.5
	}
	for i, err := range embeddings.Where(ctx, similar) {
		fmt.Println(i, err)
	}
	// Output: 1 <nil>
}

// Arrays of differing shapes.
func ExampleTensors() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	images, err := column.Create(ctx, v, "thumbnails", column.Tensors[uint8](), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := images.Append(ctx, column.Tensor[uint8]{Shape: []int{2, 3}, Data: []uint8{0, 10, 20, 30, 40, 50}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(images.Get(ctx, 0))
	// Output: {[2 3] [0 10 20 30 40 50]} <nil>
}

func ExampleMessagePack() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	type Photo struct {
		Camera string `json:"camera"`
		ISO    int    `json:"iso"`
	}
	photos, err := column.Create(ctx, v, "photos", column.MessagePack[Photo](), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := photos.Append(ctx, Photo{"X100", 400}); err != nil {
		log.Fatal(err)
	}
	loose, err := column.Open(ctx, v, "photos", column.MessagePack[any]()) // the same elements, as maps
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(loose.Get(ctx, 0))
	// Output: map[camera:X100 iso:400] <nil>
}

func ExampleCBOR() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	tags, err := column.Create(ctx, v, "tags", column.CBOR[[]string](), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := tags.Extend(ctx, [][]string{{"cat"}, {"dog", "beach"}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tags.Index(ctx, []string{"dog", "beach"}))
	// Output: 1 <nil>
}

// Text of at most 16 bytes each lies side by side, which takes no index.
func ExampleFixedText() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	codes, err := column.Create(ctx, v, "codes", column.FixedText(16, column.Latin1), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := codes.Append(ctx, "Zürich"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(codes.Get(ctx, 0))
	fmt.Println(codes.Append(ctx, "Łódź"))
	// Output:
	// Zürich <nil>
	// column append "codes": element 0: "Łódź" has 'Ł', which latin1 lacks: invalid argument
}

func ExampleText() {
	fmt.Println(column.Text(column.UTF16LE).Type())
	// Output: str:utf16le
}
