package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

// TestShutdownDoesNotWaitForUploads: a server that stops interrupts a resumable upload, which keeps
// what came, where it would otherwise wait for the client.
func TestShutdownDoesNotWaitForUploads(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, err := web.New(v, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := h.Server()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /up/slow.bin HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 1000000\r\n"+
		"Content-Type: application/offset+octet-stream\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 200_000))
	for arrived(t, v) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Errorf("the server waits for the upload: %v", err)
	}
	if err := h.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", answer.StatusCode)
	}
	if n := arrived(t, v); n == 0 {
		t.Error("nothing is kept of the upload")
	}
}

// arrived is how many bytes of an upload the vault has.
func arrived(t *testing.T, v *kvault.Vault) (n int64) {
	t.Helper()
	for u, err := range v.Uploads(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range u.Written {
			n += part.End - part.Start
		}
	}
	return n
}
