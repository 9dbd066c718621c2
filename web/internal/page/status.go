package page

import (
	"net/http"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// status answers with the state of the vault. The script puts its card beside the other pages.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	if !maySeeStatus(r) {
		h.fail(w, r, wire.Forbidden())
		return
	}
	s, err := h.v.Stats(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.render(w, r, http.StatusOK, "status", frame{
		Title: "Status", Section: "status", Crumbs: []crumb{{h.o.Name, "/"}, {"Status", ""}}, Data: s,
	})
}
