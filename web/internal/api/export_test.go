package api

import (
	"net/http"

	"github.com/kohakuvault/kvault"
)

type Limits = limits

// NewWith is New with limits that change has changed.
func NewWith(v *kvault.Vault, change func(l *Limits)) http.Handler {
	h := New(v).(*handler)
	change(&h.limits)
	return h
}
