package kvault_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
)

// Whatever takes an fs.FS can read a vault: fs.WalkDir, template.ParseFS, os.CopyFS.
func ExampleVault_FS() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()

	err := fs.WalkDir(v.FS(ctx), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			fmt.Println(path, d.IsDir())
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// . true
	// index.html false
	// photos true
	// photos/2024 true
	// photos/2024/cat.jpg false
	// photos/2025 true
	// photos/2025/dog.jpg false
	// photos/all.zip false
	// readme.txt false
}

// A vault as a web site, ranges included. A server would say
// http.ListenAndServe("localhost:8080", handler).
func ExampleVault_FS_http() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()
	handler := http.FileServerFS(v.FS(ctx))

	request := httptest.NewRequest("GET", "/photos/2024/cat.jpg", nil)
	request.Header.Set("Range", "bytes=-7")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Header().Get("Content-Range"), answer.Body)
	// Output: 206 bytes 12-18/19 cat.jpg
}
