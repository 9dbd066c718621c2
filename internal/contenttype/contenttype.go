// Package contenttype finds the MIME type of a value. Its answers are the same on every machine.
package contenttype

import (
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// ByName returns the content type for the extension of a key, or of a path with slashes. It returns
// "" for an extension that it does not know, and for a name without one, such as ".profile".
func ByName(name string) string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	ext := path.Ext(base)
	if ext == base {
		return ""
	}
	return typesByExtension[strings.ToLower(ext)]
}

// Sniffed is the number of bytes from which ByContent guesses.
const Sniffed = 512

// ByContent guesses the content type of a value that begins with head. It returns "" for no bytes.
func ByContent(head []byte) string {
	if len(head) == 0 {
		return ""
	}
	return mimetype.Detect(head[:min(len(head), Sniffed)]).String()
}

// typesByExtension leaves out extensions that several kinds of files share: .dot is used by Word
// and Graphviz, .ts by TypeScript and for video. The first bytes of the value distinguish those.
var typesByExtension = map[string]string{
	".7z":       "application/x-7z-compressed",
	".aac":      "audio/aac",
	".apng":     "image/apng",
	".arrow":    "application/vnd.apache.arrow.file",
	".arrows":   "application/vnd.apache.arrow.stream",
	".atom":     "application/atom+xml",
	".avi":      "video/x-msvideo",
	".avif":     "image/avif",
	".bmp":      "image/bmp",
	".bz2":      "application/x-bzip2",
	".cbor":     "application/cbor",
	".css":      "text/css; charset=utf-8",
	".csv":      "text/csv; charset=utf-8",
	".docx":     "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".eml":      "message/rfc822",
	".eot":      "application/vnd.ms-fontobject",
	".epub":     "application/epub+zip",
	".flac":     "audio/flac",
	".geojson":  "application/geo+json",
	".gif":      "image/gif",
	".glb":      "model/gltf-binary",
	".gltf":     "model/gltf+json",
	".gpkg":     "application/geopackage+sqlite3",
	".gz":       "application/gzip",
	".heic":     "image/heic",
	".heif":     "image/heif",
	".htm":      "text/html; charset=utf-8",
	".html":     "text/html; charset=utf-8",
	".ico":      "image/vnd.microsoft.icon",
	".ics":      "text/calendar; charset=utf-8",
	".jar":      "application/java-archive",
	".jpeg":     "image/jpeg",
	".jpg":      "image/jpeg",
	".js":       "text/javascript; charset=utf-8",
	".json":     "application/json",
	".jsonld":   "application/ld+json",
	".jxl":      "image/jxl",
	".m4a":      "audio/mp4",
	".m4v":      "video/x-m4v",
	".markdown": "text/markdown; charset=utf-8",
	".md":       "text/markdown; charset=utf-8",
	".mid":      "audio/midi",
	".midi":     "audio/midi",
	".mjs":      "text/javascript; charset=utf-8",
	".mkv":      "video/x-matroska",
	".mov":      "video/quicktime",
	".mp3":      "audio/mpeg",
	".mp4":      "video/mp4",
	".mpeg":     "video/mpeg",
	".mpg":      "video/mpeg",
	".odp":      "application/vnd.oasis.opendocument.presentation",
	".ods":      "application/vnd.oasis.opendocument.spreadsheet",
	".odt":      "application/vnd.oasis.opendocument.text",
	".oga":      "audio/ogg",
	".ogg":      "audio/ogg",
	".ogv":      "video/ogg",
	".opus":     "audio/ogg",
	".otf":      "font/otf",
	".parquet":  "application/vnd.apache.parquet",
	".pdf":      "application/pdf",
	".png":      "image/png",
	".pptx":     "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".rar":      "application/vnd.rar",
	".rss":      "application/rss+xml",
	".rtf":      "application/rtf",
	".sqlite":   "application/vnd.sqlite3",
	".sqlite3":  "application/vnd.sqlite3",
	".svg":      "image/svg+xml",
	".tar":      "application/x-tar",
	".tgz":      "application/gzip",
	".tif":      "image/tiff",
	".tiff":     "image/tiff",
	".toml":     "application/toml",
	".tsv":      "text/tab-separated-values; charset=utf-8",
	".ttf":      "font/ttf",
	".txt":      "text/plain; charset=utf-8",
	".vcf":      "text/vcard; charset=utf-8",
	".wasm":     "application/wasm",
	".wav":      "audio/wav",
	".weba":     "audio/webm",
	".webm":     "video/webm",
	".webp":     "image/webp",
	".woff":     "font/woff",
	".woff2":    "font/woff2",
	".xhtml":    "application/xhtml+xml",
	".xlsx":     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml":      "text/xml; charset=utf-8",
	".xz":       "application/x-xz",
	".yaml":     "application/yaml",
	".yml":      "application/yaml",
	".zip":      "application/zip",
	".zst":      "application/zstd",
}
