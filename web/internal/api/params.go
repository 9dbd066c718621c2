package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// parameters are those of a request's query. Their methods keep the first error.
type parameters struct {
	values url.Values
	err    error
}

// parametersOf reads the query, in which only the known parameters may be, each once. A name that
// ends in "..." may be there several times.
func parametersOf(r *http.Request, known ...string) *parameters {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &parameters{err: badRequest("the query is not percent-encoded as it should be")}
	}
	p := &parameters{values: values}
	for name, list := range values {
		switch several := slices.Contains(known, name+"..."); {
		case !several && !slices.Contains(known, name):
			p.fail("there is no parameter %s here", quoted(name))
		case !several && len(list) > 1:
			p.fail("the parameter %s is there %d times", quoted(name), len(list))
		}
	}
	return p
}

func badRequest(format string, args ...any) error {
	return &wire.Error{Status: http.StatusBadRequest, Text: fmt.Sprintf(format, args...)}
}

// quoted is text of the request in an error, cut off where it is long.
func quoted(s string) string { return fmt.Sprintf("%.60q", s) }

func (p *parameters) fail(format string, args ...any) {
	if p.err == nil {
		p.err = badRequest(format, args...)
	}
}

func (p *parameters) has(name string) bool { return len(p.values[name]) > 0 }

// text is a parameter, or empty. It may have any bytes.
func (p *parameters) text(name string) string { return p.values.Get(name) }

// number is a parameter from least to most, or otherwise if it is not there.
func (p *parameters) number(name string, otherwise, least, most int64) int64 {
	if !p.has(name) {
		return otherwise
	}
	n, err := strconv.ParseInt(p.text(name), 10, 64)
	if err != nil || n < least || n > most {
		p.fail("%s is a number from %d to %d, not %s", name, least, most, quoted(p.text(name)))
	}
	return n
}

// yes is a parameter that is true or false, and false if it is not there.
func (p *parameters) yes(name string) bool {
	return p.choice(name, "false", "true") == "true"
}

// choice is one of the values, and the first if the parameter is not there.
func (p *parameters) choice(name string, values ...string) string {
	if !p.has(name) {
		return values[0]
	}
	if !slices.Contains(values, p.text(name)) {
		p.fail("%s is one of %s, not %s", name, strings.Join(values, ", "), quoted(p.text(name)))
	}
	return p.text(name)
}
