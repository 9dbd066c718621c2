package wire

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// UserPrefix begins the headers that carry user metadata: "X-Kvault-Meta-Lang: en" is the entry
// lang=en. Names and values are in UTF-8, percent-encoded where a header cannot hold them. As the
// case of a header's name means nothing, capital letters of a name are percent-encoded too:
// "X-Kvault-Meta-%4Cang: na%C3%AFve" is Lang=naïve.
const UserPrefix = "X-Kvault-Meta-"

// OmittedHeader counts the entries of user metadata that an answer does not have because its
// headers would be longer than clients take.
const OmittedHeader = "X-Kvault-Omitted-Meta"

// maxUserHeaders is the most bytes of user metadata in the headers of an answer. Several clients
// and proxies take 8 to 16 KiB of headers in all.
const maxUserHeaders = 6 << 10

// describeUser sets the headers of user metadata, in the order of the names as far as they fit.
func describeUser(h http.Header, user map[string]string) {
	left, omitted := maxUserHeaders, 0
	for _, name := range slices.Sorted(maps.Keys(user)) {
		header := UserPrefix + escape(name, "-_.", true)
		value := escape(user[name], " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~", false)
		length := len(header) + len(value) + len(": \r\n")
		if length > left || name == "" {
			omitted++
			continue
		}
		left -= length
		h[header] = []string{value} // as it is: Set would change the case of what is escaped
	}
	if omitted > 0 {
		h.Set(OmittedHeader, strconv.Itoa(omitted))
	}
}

// escape percent-encodes what is no letter or digit and not in plain, capital letters too if the
// text is a name, and spaces at either end, which HTTP removes.
func escape(s, plain string, name bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		atEnd := c == ' ' && (i == 0 || i == len(s)-1)
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', 'A' <= c && c <= 'Z' && !name,
			strings.IndexByte(plain, c) >= 0 && !atEnd:
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// UserOf returns the user metadata in the headers of a request, or nil if it has none. The error is
// for the client.
func UserOf(h http.Header) (map[string]string, error) {
	var user map[string]string
	for header, values := range h {
		// net/http has brought the names of headers to one form, capital letters included.
		name, found := strings.CutPrefix(header, UserPrefix)
		if !found {
			continue
		}
		if len(values) > 1 {
			return nil, badHeader(header, " is there twice")
		}
		name, err := unescape(strings.ToLower(name))
		if err != nil || name == "" {
			return nil, badHeader(header, " has a name that is not percent-encoded UTF-8")
		}
		value, err := unescape(values[0])
		if err != nil {
			return nil, badHeader(header, " is not percent-encoded UTF-8")
		}
		if user == nil {
			user = map[string]string{}
		}
		if _, twice := user[name]; twice {
			return nil, badHeader(header, " is there twice")
		}
		user[name] = value
	}
	return user, nil
}

func badHeader(name, what string) error {
	return &Error{Status: http.StatusBadRequest, Text: "the header " + name + what}
}

var errNotASCII = errors.New("neither ASCII nor percent-encoded")

func unescape(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return "", errNotASCII
	}
	s, err := url.PathUnescape(s)
	if err == nil && !utf8.ValidString(s) {
		err = errNotASCII
	}
	return s, err
}
