package browser

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

var (
	chromium    = flag.String("chromium", "", "program to drive (default the Chromium that is installed)")
	screenshots = flag.String("screenshots", "", "folder for pictures of the pages")
	axe         = flag.String("axe", "", "axe.min.js of axe-core, for the test of accessibility")
)

var driver context.Context // of the browser, whose tabs the tests open

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		// Chromium's own sandbox refuses root, as whom continuous integration runs. What the tests show
		// it is their own.
		options := []chromedp.ExecAllocatorOption{chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun,
			chromedp.NoDefaultBrowserCheck, chromedp.DisableGPU, chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
			chromedp.WSURLReadTimeout(time.Minute)}
		if *chromium != "" {
			options = append(options, chromedp.ExecPath(*chromium))
		}
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		defer stop()
		var cancel context.CancelFunc
		driver, cancel = chromedp.NewContext(allocator)
		defer cancel()
		if err := chromedp.Do(driver); err != nil {
			fmt.Fprintln(os.Stderr, "Chromium cannot be started; README.md says what the tests need:", err)
			return 1
		}
		return m.Run()
	}())
}

// site is a server with a vault of its own.
type site struct {
	v    *kvault.Vault
	url  string
	slow atomic.Bool  // bodies of requests arrive at some MiB a second
	read atomic.Int64 // bytes of bodies of requests
}

// serve fills a vault and serves it.
func serve(t *testing.T, o *web.Options, fill func(context.Context, *kvault.Vault) error) *site {
	t.Helper()
	v, err := kvault.Open(t.Context(), filepath.Join(t.TempDir(), "media.kv"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return serveVault(t, v, o, fill)
}

// serveVault is serve of a vault that it closes.
func serveVault(t *testing.T, v *kvault.Vault, o *web.Options, fill func(context.Context, *kvault.Vault) error) *site {
	t.Helper()
	t.Cleanup(func() { v.Close() })
	if err := fill(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if o == nil {
		o = &web.Options{}
	}
	o.Logger = slog.New(slog.DiscardHandler)
	h, err := web.New(v, o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{v: v}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = body{r.Body, s}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		h.Shutdown(context.Background())
	})
	s.url = server.URL
	return s
}

// body is the body of a request, counted, and slow if the site is.
type body struct {
	io.ReadCloser
	site *site
}

func (b body) Read(p []byte) (int, error) {
	if b.site.slow.Load() {
		time.Sleep(10 * time.Millisecond)
		p = p[:min(len(p), 32<<10)]
	}
	n, err := b.ReadCloser.Read(p)
	b.site.read.Add(int64(n))
	return n, err
}

// tab is a tab of the browser that is shown one server.
type tab struct {
	*site
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	problems []string
	expected []string // what problems may contain
	plain    bool     // the browser runs no script
}

// open opens a path in a new tab. Problems of the page fail the test when it ends.
func (s *site) open(t *testing.T, path string) *tab {
	t.Helper()
	b := &tab{site: s, t: t}
	ctx, cancel := chromedp.NewContext(driver, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	var stop context.CancelFunc
	b.ctx, stop = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(stop)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			if !slices.ContainsFunc(b.expected, func(e string) bool { return strings.Contains(p, e) }) {
				t.Errorf("the page reports: %s", p)
			}
		}
	})
	b.do(chromedp.EmulateViewport(1280, 800))
	call(b, log.Enable, cdp.Empty{})
	b.visit(path)
	return b
}

// listen collects what no page should do.
func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, fmt.Sprintf("%+v", ev.ExceptionDetails))
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError {
			b.problems = append(b.problems, ev.Entry.Text+" "+ev.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.problems = append(b.problems, "a dialog: "+ev.Message)
	}
}

// ready holds once the scripts of a page run: app.js sets the mark when all that it loads has
// started, and the other modules have run before the page is complete.
const ready = `"ready" in document.documentElement.dataset && document.readyState === "complete"`

// visit opens a path, and waits until its scripts run.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + path))
	if !b.plain {
		b.until(ready)
	}
}

// arrive waits for the page, after a click or a key, for which a condition holds.
func (b *tab) arrive(condition string) {
	b.t.Helper()
	b.until("(" + condition + ") && " + ready)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for i, s := range steps {
		if err := chromedp.Do(b.ctx, s); err != nil {
			b.t.Fatalf("step %d: %v\n%s", i+1, err, b.where())
		}
	}
}

// where describes the page for a failed test.
func (b *tab) where() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// call sends a command of the browser's protocol that answers nothing.
func call[P any](b *tab, c cdp.Command[P, cdp.Empty], p P) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, p)
		return err
	}))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector))
}

// eval returns what an expression, or the promise that it is, comes to.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", expression, err, b.where())
	}
	return got
}

// until waits for a condition of the page. An evaluation that fails counts as false: the browser
// may be on its way to another page, or an element may be missing yet.
func (b *tab) until(condition string) {
	b.t.Helper()
	step := chromedp.Evaluate[bool]("Boolean("+condition+")", chromedp.EvalAwaitPromise)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		holds, err := chromedp.Run(b.ctx, step)
		if err == nil && holds {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("never: %s (%v)\n%s", condition, err, b.where())
		}
	}
}

// names are the names that the folder shows.
func (b *tab) names() []string {
	b.t.Helper()
	return eval[[]string](b, "[...document.querySelectorAll('#list .item')].map(i => i.querySelector('bdi').textContent)")
}
