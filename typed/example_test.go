package typed_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/typed"
)

func exampleVault() (context.Context, *kvault.Vault) {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	return ctx, v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func Example() {
	ctx, v := exampleVault()
	defer v.Close()
	_, err := typed.Put(ctx, v, "user:1", map[string]any{"name": "Ada", "born": 1815}, nil)
	check(err)
	user, err := typed.Get(ctx, v, "user:1")
	check(err)
	fmt.Println(user.Kind(), user.Data)
	// Output: msgpack map[born:1815 name:Ada]
}

func ExampleValue_Unmarshal() {
	ctx, v := exampleVault()
	defer v.Close()
	type user struct {
		Name string `json:"name"`
	}
	_, err := typed.PutAs(ctx, v, "user:1", typed.JSON, user{"Ada"}, nil)
	check(err)
	value, err := typed.Get(ctx, v, "user:1")
	check(err)
	var u user
	check(value.Unmarshal(&u))
	fmt.Println(u.Name)
	// Output: Ada
}

func ExampleStat() {
	ctx, v := exampleVault()
	defer v.Close()
	_, err := typed.Put(ctx, v, "embedding", []float32{0.5, 0.25, 0.125}, nil)
	check(err)
	info, err := typed.Stat(ctx, v, "embedding")
	check(err)
	fmt.Println(info.Encoding, info.Size)
	// Output: datapacker 18
}

func ExampleOpen() {
	ctx, v := exampleVault()
	defer v.Close()
	_, err := typed.PutReader(ctx, v, "novel", typed.Text, strings.NewReader("Call me Ishmael."), nil)
	check(err)
	p, err := typed.Open(ctx, v, "novel")
	check(err)
	defer p.Close()
	_, err = io.Copy(os.Stdout, p)
	check(err)
	// Output: Call me Ishmael.
}

// The eight bytes of a number do not say what they are. Whoever knows asks for it.
func ExampleValue_Int64() {
	b, err := typed.EncodeAs(typed.DataPacker, 42)
	check(err)
	value, err := typed.Decode(b)
	check(err)
	n, ok := value.Int64()
	fmt.Println(n, ok)
	// Output: 42 true
}
