package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// assets serves the embedded files below a path that holds a hash of all of them. A module imports
// its neighbours by relative names, so these have the hash as well, and browsers may keep each file
// for good.
type assets struct {
	base  string // "/static/HASH/"
	files map[string][]byte
}

func loadAssets() *assets {
	a := &assets{files: map[string][]byte{}}
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		sum.Write([]byte(name))
		sum.Write(data)
		a.files[strings.TrimPrefix(name, "assets/")] = data
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	a.base = "/static/" + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	return a
}

var assetTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".html": "text/plain; charset=utf-8",
}

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, found := a.files[strings.TrimPrefix(r.URL.Path, a.base)]
	if !found {
		http.NotFound(w, r)
		return
	}
	ext := path.Ext(r.URL.Path)
	contentType := assetTypes[ext]
	if contentType == "" {
		contentType = mime.TypeByExtension(ext)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
