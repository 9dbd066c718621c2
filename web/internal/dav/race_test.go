package dav_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestManyClients has clients change, list and lock the same few names. No request may fail but for
// what the others do.
func TestManyClients(t *testing.T) {
	s := newServer(t, openMemory(t), "d/a", "d/b", "e/a")
	names := []string{"d/a", "d/b", "d", "e", "e/a", "f"}
	methods := []string{
		"PUT", "GET", "PROPFIND", "DELETE", "MKCOL", "COPY", "MOVE", "LOCK", "PROPPATCH",
	}
	var all sync.WaitGroup
	for client := range uint64(6) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(client, 1))
			for range 60 {
				path := "/dav/" + names[random.IntN(len(names))]
				method := methods[random.IntN(len(methods))]
				body := strings.NewReader(map[string]string{
					"PUT": "value", "LOCK": lockBody, "PROPPATCH": patchBody,
				}[method])
				r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Depth", "1")
				if method != "PROPFIND" {
					r.Header.Set("Depth", "infinity")
				}
				r.Header.Set("Destination", "/dav/"+names[random.IntN(len(names))])
				a, err := s.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				a.Body.Close()
				if a.StatusCode >= 500 {
					t.Errorf("%s %s is %d", method, path, a.StatusCode)
				}
				if token := a.Header.Get("Lock-Token"); token != "" {
					r, _ := http.NewRequestWithContext(t.Context(), "UNLOCK", s.URL+path, nil)
					r.Header.Set("Lock-Token", token)
					if a, err := s.Client().Do(r); err == nil {
						a.Body.Close()
					}
				}
			}
		})
	}
	all.Wait()
	s.want(201, "PUT", "/dav/last", "last") // no lock is left
}
