package kvault_test

import (
	"fmt"
	"time"

	"github.com/kohakuvault/kvault"
)

// What a put takes for the content type if it is not told.
func ExampleTypeByName() {
	fmt.Println(kvault.TypeByName("photos/CAT.JPG"))
	fmt.Printf("%q\n", kvault.TypeByName("home/.profile"))
	// Output:
	// image/jpeg
	// ""
}

// A file may have a time that a vault cannot keep.
func ExampleFitModTime() {
	fmt.Println(kvault.FitModTime(time.Date(2446, 5, 10, 0, 0, 0, 0, time.UTC)).Year())
	fmt.Println(kvault.FitModTime(time.Date(2026, 5, 10, 0, 0, 0, 0, time.UTC)).Year())
	// Output:
	// 2261
	// 2026
}
