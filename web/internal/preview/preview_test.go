package preview

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
	nethtml "golang.org/x/net/html"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(
	t *testing.T,
	grant access.Grant,
) (*kvault.Vault, *Handler, func(method, path string) (*http.Response, string)) {
	t.Helper()
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := New(v)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), grant)))
	}))
	t.Cleanup(func() {
		server.Close()
		v.Close()
	})
	return v, h, func(method, path string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
}

func put(t *testing.T, v *kvault.Vault, key, value string) {
	t.Helper()
	if err := v.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestRender(t *testing.T) {
	v, _, do := open(t, access.Everything(false))
	put(
		t,
		v,
		"notes/Read me.md",
		"# A *title*\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\n~~old~~ `code <b>`\n",
	)
	resp, body := do(http.MethodGet, "/render/notes/Read%20me.md")
	if resp.StatusCode != http.StatusOK ||
		resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	for _, part := range []string{`<h1 id="a-title">A <em>title</em></h1>`, "<td>1</td>", `type="checkbox"`, "<del>old</del>", "<code>code &lt;b&gt;</code>"} {
		if !strings.Contains(body, part) {
			t.Errorf("there is no %s in\n%s", part, body)
		}
	}
	csp := resp.Header.Get("Content-Security-Policy")
	for _, part := range []string{"sandbox ", "default-src 'none'", "img-src 'self'", "style-src 'sha256-", "base-uri 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("the policy is without %s: %s", part, csp)
		}
	}
	for _, part := range []string{"allow-scripts", "allow-forms", "allow-top", "unsafe"} {
		if strings.Contains(csp, part) {
			t.Errorf("the policy has %s: %s", part, csp)
		}
	}
	if head, empty := do(http.MethodHead, "/render/notes/Read%20me.md"); empty != "" ||
		head.Header.Get("Content-Length") != resp.Header.Get("Content-Length") {
		t.Errorf("HEAD: %v", head.Header)
	}
}

// What a text holds is parsed as a browser does, and nothing in it runs or loads.
func TestHostileText(t *testing.T) {
	v, _, do := open(t, access.Everything(false))
	for i, text := range []string{
		"<script>alert(1)</script>", "<SCRIPT SRC=//evil.example/x.js></SCRIPT>", "<scr<script>ipt>alert(1)</script>",
		`<img src=x onerror=alert(1)>`, `<img src="x" onerror="alert(1)"/`, `![x](x "t\" onerror=\"alert(1)")`,
		"[a](javascript:alert(1))", "[a](JaVaScRiPt:alert(1))", "[a](java\tscript:alert(1))", "[a]( \x01javascript:alert(1))",
		"[a](&#106;avascript:alert(1))", "[a](data:text/html;base64,PHNjcmlwdD4=)", "[a](vbscript:x)", "<javascript:alert(1)>",
		`<a href="javascript:alert(1)">a</a>`, `<a href=" javascript:alert(1)">a</a>`, `<a href="#" onclick="alert(1)">a</a>`,
		`<iframe src="/v/a.html"></iframe>`, `<iframe srcdoc="<script>alert(1)</script>">`, `<object data="/v/x.pdf"></object>`, `<embed src=x>`,
		`<svg onload=alert(1)><script>alert(1)</script></svg>`, `<math><mi xlink:href="javascript:alert(1)">x</mi></math>`,
		`<form action="/v/x" method=post><input name=a><button>go</button></form>`, `<input type="image" src="x" onfocus=alert(1) autofocus>`,
		`<style>*{background:url(/x)}</style>`, `<p style="background:url(//evil.example)">x</p>`, `<link rel=stylesheet href=//evil.example>`,
		`<base href="//evil.example/">`, `<meta http-equiv=refresh content="0;url=//evil.example">`, `<video src=x onerror=alert(1)></video>`,
		`<template><script>alert(1)</script></template>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
		`<details open ontoggle=alert(1)>x</details>`, "<!--><script>alert(1)</script>-->", "</body></html><script>alert(1)</script>",
		"```html\n<script>alert(1)</script>\n```", "&lt;script&gt;alert(1)&lt;/script&gt;", "\xff<script\x00>alert(1)</script>", `<a title='"><script>alert(1)</script>'>x</a>`,
	} {
		put(t, v, "a.md", text)
		resp, body := do(http.MethodGet, "/render/a.md")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%d: %s", i, resp.Status)
		}
		_, inner, _ := strings.Cut(body, "<body>")
		doc, err := nethtml.Parse(strings.NewReader(inner))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != nethtml.ElementNode {
				continue
			}
			switch n.Data {
			case "script",
				"iframe",
				"object",
				"embed",
				"svg",
				"math",
				"form",
				"button",
				"style",
				"link",
				"base",
				"meta",
				"video",
				"template",
				"noscript":
				t.Errorf("%q becomes <%s>:\n%s", text, n.Data, inner)
			}
			for _, a := range n.Attr {
				value := strings.ToLower(strings.TrimSpace(a.Val))
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" ||
					strings.Contains(value, "script:") ||
					strings.HasPrefix(value, "data:") {
					t.Errorf("%q becomes <%s %s=%q>", text, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

func TestLinks(t *testing.T) {
	for reference, want := range map[string]string{
		"other.md":              "/view/notes/a%20b/other.md",
		"x%20y.md#part":         "/view/notes/a%20b/x%20y.md#part",
		"../up.md":              "/view/notes/up.md",
		"./img/../c.png":        "/view/notes/a%20b/c.png",
		"../../../../etc":       "/view/etc",
		"/root.md":              "/view/root.md",
		"/..%2f..%2fx":          "/view/x",
		"sub/":                  "/b/notes/a%20b/sub/",
		"/":                     "/",
		"#part":                 "#part",
		"":                      "",
		"https://example.com/a": "https://example.com/a",
		"//example.com/a":       "//example.com/a",
		"mailto:a@example.com":  "mailto:a@example.com",
		`/\example.com`:         "/view/%5Cexample.com",
	} {
		if got := resolve("notes/a b/c.md", reference, "/view/"); got != want {
			t.Errorf("%s leads to %s, not %s", reference, got, want)
		}
	}
	got, err := markdownOf(
		"notes/a.md",
		[]byte("[a](b.md) [c](https://example.com) [d](#e) ![f](g.png)\n\n<img src=\"h.png\">"),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`href="/view/notes/b.md" rel="nofollow noopener noreferrer" target="_blank"`, `href="#d"`,
		`href="https://example.com" rel="nofollow noopener noreferrer" target="_blank"`, `src="/v/notes/g.png"`, `src="/v/notes/h.png"`} {
		if want := strings.ReplaceAll(part, `"#d"`, `"#e"`); !strings.Contains(string(got), want) {
			t.Errorf("there is no %s in %s", want, got)
		}
	}
	if strings.Contains(string(got), `href="#e" rel="nofollow noopener noreferrer" target`) {
		t.Errorf("a link within the text opens a tab: %s", got)
	}
}

func TestAnswers(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("", "secret")
	grant, _ := access.NewTokens([]access.Token{{Secret: "secret", Prefix: "mine/"}}, true).Grant(r)
	v, _, do := open(t, grant)
	for _, key := range []string{"other.md", "mine/a.md", "mine/README", "mine/page.html", "mine/a.svg"} {
		put(t, v, key, "<script>alert(1)</script> text")
	}
	if _, err := v.PutWith(t.Context(), "mine/plain.md", []byte("*x*"), &kvault.PutOptions{ContentType: "text/plain; charset=utf-8"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"mine/a.md": 200, "mine/plain.md": 200, "other.md": 403, "absent.md": 403, "mine/absent.md": 404,
		"mine/page.html": 415, "mine/a.svg": 415, "mine/README": 415, "": 400,
	} {
		resp, body := do(http.MethodGet, "/render/"+path)
		if resp.StatusCode != want || want != 200 && strings.Contains(body, "<script>") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	if resp, _ := do(http.MethodPost, "/render/mine/a.md"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}

// A long text is cut, and one that would take too long to parse is shown as it is.
func TestLongTexts(t *testing.T) {
	v, h, do := open(t, access.Everything(false))
	put(t, v, "long.md", strings.Repeat("word ", 150_000))
	if _, body := do(http.MethodGet, "/render/long.md"); !strings.Contains(
		body,
		"Only the first 512 KiB are shown",
	) ||
		len(body) > MaxText+10_000 {
		t.Errorf("%d bytes of a long text", len(body))
	}
	for range cap(h.busy) {
		h.busy <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.render(ctx, "long.md"); err == nil {
		t.Error("rendered without a turn")
	}
	for range cap(h.busy) {
		<-h.busy
	}
	wide := strings.Repeat("|a", 4000) + "|\n" + strings.Repeat("|-", 4000) + "|\n" + strings.Repeat("|a\n", 4000)
	if got, err := markdownOf("a.md", []byte(wide)); err != nil || !strings.HasPrefix(string(got), "<pre>") {
		t.Errorf("a table of 16 million cells is parsed: %v", err)
	}
	table := strings.Repeat("|a|b|\n|-|-|\n"+strings.Repeat("|1|2|\n", 500)+"\n", 50)
	if got, err := markdownOf("a.md", []byte(table)); err != nil || strings.Count(string(got), "<table>") != 50 {
		t.Errorf("50 tables are not shown: %v", err)
	}
	// goldmark would take minutes for each of these.
	for _, unit := range []string{"[", "*a_", "> ", "[a](", "**_", "[a]: b\n", "<a>", "1. ", "- 1. "} {
		got, err := markdownOf("a.md", bytes.Repeat([]byte(unit), MaxText/len(unit)))
		if err != nil || !strings.HasPrefix(string(got), "<pre>") ||
			strings.Contains(string(got), "<a>") {
			t.Errorf("%q is parsed: %v", unit, err)
		}
	}
}

// Each heading can be led to, also where several are alike.
func TestHeadings(t *testing.T) {
	got, err := markdownOf(
		"a.md",
		[]byte("# A Title!\n\n## A title\n\n# \u00c4rger <b>\n\n# \u2026\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`<h1 id="a-title">`, `<h2 id="a-title-1">`, "<h1 id=\"\u00e4rger-b\">"} {
		if !strings.Contains(string(got), part) {
			t.Errorf("there is no %s in %s", part, got)
		}
	}
}
