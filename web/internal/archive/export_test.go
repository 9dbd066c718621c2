package archive

// SetMaxZip sets the most keys of a zip.
func (h *Handler) SetMaxZip(n int) { h.maxZip = n }
