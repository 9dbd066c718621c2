package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"testing/iotest"
	"time"

	"github.com/kohakuvault/kvault"
)

// A source that breaks off loses nothing: another process, after a restart too, finds the upload by
// its ID, sees what is there and goes on.
func ExampleVault_NewUpload() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	u, err := v.NewUpload(ctx, "video.mp4", &kvault.UploadOptions{Size: 11})
	if err != nil {
		log.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("hello "), iotest.ErrReader(errors.New("cable unplugged")))
	n, err := u.ReadFrom(ctx, broken, 0)
	fmt.Println(n, err)

	again, err := v.OpenUpload(ctx, u.ID())
	if err != nil {
		log.Fatal(err)
	}
	info, err := again.Info(ctx)
	if err != nil {
		log.Fatal(err)
	}
	from := info.Written[0].End
	if _, err := again.ReadFrom(ctx, strings.NewReader("hello world"[from:]), from); err != nil {
		log.Fatal(err)
	}
	entry, err := again.Publish(ctx, nil)
	fmt.Println(entry.Key, entry.Size, entry.ContentType, err)
	// Output:
	// 6 upload "video.mp4": read source: cable unplugged
	// video.mp4 11 video/mp4 <nil>
}

// Parts come in any order, and at once. What is missing is named.
func ExampleUpload_WriteAt() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	u, err := v.NewUpload(ctx, "parts", nil)
	if err != nil {
		log.Fatal(err)
	}

	part := bytes.Repeat([]byte("."), 1000)
	for _, off := range []int64{3000, 0, 1000} {
		if err := u.WriteAt(ctx, part, off); err != nil {
			log.Fatal(err)
		}
	}
	info, err := u.Info(ctx)
	fmt.Println(info.Written, err)
	_, err = u.Publish(ctx, nil)
	fmt.Println(err, errors.Is(err, kvault.ErrInvalid))
	// Output:
	// [{0 2000} {3000 4000}] <nil>
	// upload "parts": bytes 2000 to 2999 of 4000 are missing: invalid argument true
}

// The condition is checked when the upload is published. If it fails, the upload is still there.
func ExampleUpload_Publish() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	u, err := v.NewUpload(ctx, "report", &kvault.UploadOptions{ContentType: "text/plain"})
	if err != nil {
		log.Fatal(err)
	}
	if err := u.WriteAt(ctx, []byte("new"), 0); err != nil {
		log.Fatal(err)
	}
	// Metadata may change until then.
	if err := u.SetMetadata(ctx, &kvault.MetadataOptions{User: map[string]string{"by": "me"}}); err != nil {
		log.Fatal(err)
	}
	if err := v.Put(ctx, "report", []byte("old")); err != nil {
		log.Fatal(err)
	}
	_, err = u.Publish(ctx, &kvault.PublishOptions{IfAbsent: true})
	fmt.Println(errors.Is(err, kvault.ErrExists))
	entry, err := u.Publish(ctx, nil)
	fmt.Println(entry.Size, entry.User, err)
	_, err = u.Info(ctx)
	fmt.Println(errors.Is(err, kvault.ErrNoUpload))
	// Output:
	// true
	// 3 map[by:me] <nil>
	// true
}

// An upload can be published together with other changes.
func ExampleTx_PublishUpload() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	u, err := v.NewUpload(ctx, "photo.jpg", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := u.WriteAt(ctx, []byte("pixels"), 0); err != nil {
		log.Fatal(err)
	}
	err = v.Update(ctx, func(tx *kvault.Tx) error {
		if _, err := tx.PublishUpload(ctx, u, nil); err != nil {
			return err
		}
		return tx.Put(ctx, "photo.txt", []byte("a lake"))
	})
	n, _ := v.Len(ctx)
	fmt.Println(n, err)
	// Output: 2 <nil>
}

// Uploads lists what is unfinished; Abort discards one.
func ExampleVault_Uploads() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, key := range []string{"a/1", "a/2", "b/1"} {
		if _, err := v.NewUpload(ctx, key, &kvault.UploadOptions{Expires: time.Hour}); err != nil {
			log.Fatal(err)
		}
	}
	for info, err := range v.Uploads(ctx, "a/") {
		if err != nil {
			log.Fatal(err)
		}
		u, err := v.OpenUpload(ctx, info.ID)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.Key, time.Until(info.Expires) > 0, u.Abort(ctx))
	}
	// Output:
	// a/1 true <nil>
	// a/2 true <nil>
}
