package page

import (
	"net/http"
	"strconv"
	"strings"
)

// snippet is a piece of a script or program that does something with the value.
type snippet struct{ ID, Label, Code string }

// snippets are for the server as the request reached it. A request that carried a token gets
// commands that read it from the environment: none ever shows it.
func snippets(r *http.Request, key string, write bool) []snippet {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	address := scheme + r.Host + link("/v/", key)
	token := r.Header.Get("Authorization") != ""
	curl := "curl -fsS"
	if token {
		curl += ` -H "Authorization: Bearer $TOKEN"`
	}
	name := fileName(key)
	list := []snippet{{"curl-get", "Download with curl",
		curl + " -o " + shellQuote(name) + " " + shellQuote(address)}}
	if write {
		// curl adds the name of a file to a path that ends in a slash, and that of no standard input.
		list = append(list, snippet{"curl-put", "Replace with curl",
			curl + " -T - " + shellQuote(address) + " < " + shellQuote("./"+name)})
	}
	return append(list,
		snippet{"go-http", "Go, over HTTP", goOverHTTP(address, token)},
		snippet{"go-vault", "Go, with the vault's file",
			"value, err := v.Get(ctx, " + strconv.QuoteToASCII(key) + ")"})
}

func goOverHTTP(address string, token bool) string {
	code := "req, err := http.NewRequestWithContext(ctx, http.MethodGet, " +
		strconv.QuoteToASCII(address) + ", nil)\nif err != nil {\n\treturn err\n}\n"
	if token {
		code += `req.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))` + "\n"
	}
	return code + "resp, err := http.DefaultClient.Do(req)"
}

// fileName is the last name of a key, if it is one that can be typed and seen, and no option or
// folder.
func fileName(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	odd := strings.Trim(name, ".") == "" || show(name) != name || strings.HasPrefix(name, "-")
	if odd || len(name) > 200 {
		return "download"
	}
	return name
}

// shellQuote writes a text as one word of a POSIX shell. Within single quotes nothing has a meaning
// but a single quote.
func shellQuote(s string) string {
	special := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("-_./", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
