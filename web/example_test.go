package web_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

func ExampleNew() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	h, err := web.New(v, &web.Options{
		Tokens: []web.Token{
			{Secret: "uiTNhHTMQq4yPgwV", Write: true},
			{Secret: "b2Kd81cE0sQnXr7a", Prefix: "photos/"}, // may read the photos
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	s := httptest.NewServer(h) // a program has h.Server()
	defer s.Close()

	res, err := http.Get(s.URL + "/healthz")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.Status, " ", string(text))
	if err := h.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: 200 OK ok
}

// A vault under a host name of its own, beside what else the program serves.
func ExampleHandler() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	vault, err := web.New(v, &web.Options{Hosts: []string{"vault.example.com"}})
	if err != nil {
		log.Fatal(err)
	}
	site := http.NotFoundHandler()
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Host, "vault.example.com") {
			vault.ServeHTTP(w, r)
			return
		}
		site.ServeHTTP(w, r)
	})

	for _, url := range []string{"http://vault.example.com/healthz", "http://example.com/healthz"} {
		w := httptest.NewRecorder()
		both.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, url, nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 404
}
