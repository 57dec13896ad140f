package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static/*
var staticFiles embed.FS

// asset is one static file, ready to be sent.
type asset struct {
	kind    string
	version string // of its content
	plain   []byte
	gzipped []byte // nil where it would not pay
}

// assets are the static files by name. Pages name them with their version, so
// that browsers keep them for good and fetch a new one at once.
type assets map[string]*asset

func loadAssets() (assets, error) {
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	out := assets{}
	for _, f := range files {
		body, err := staticFiles.ReadFile(path.Join("static", f.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		a := &asset{kind: kindOf(f.Name()), version: hex.EncodeToString(sum[:8]), plain: body}
		if z := compressed(body, gzip.BestCompression); len(z) < len(body)*9/10 {
			a.gzipped = z
		}
		out[f.Name()] = a
	}
	return out, nil
}

// kindOf is the media type of a file, whatever the machine's own table says.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// url is the address of a static file. A template that names one that is not
// there fails.
func (a assets) url(name string) (string, error) {
	found := a[name]
	if found == nil {
		return "", fmt.Errorf("there is no static file %s", name)
	}
	return root + "static/" + name + "?v=" + found.version, nil
}

// serve answers a static file, or false if there is none of that name. The name
// of a workspace may be "static", so everything else goes on to the pages.
func (a assets) serve(w http.ResponseWriter, r *http.Request, name string) bool {
	found := a[name]
	if found == nil && strings.Contains(name, ".") && !strings.Contains(name, "/") { // no page is called so
		http.NotFound(w, r)
		return true
	}
	if found == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", found.kind)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == found.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	tag, body := `"`+found.version+`"`, found.plain
	if found.gzipped != nil && acceptsGzip(r) {
		tag, body = `"`+found.version+`-gzip"`, found.gzipped
	}
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	if found.gzipped != nil && bytes.Equal(body, found.gzipped) {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
	return true
}
