package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// door is one request, of whoever it may be.
type door struct {
	*Console
	w http.ResponseWriter
	r *http.Request
}

// outside is a handler that needs no session.
func (c *Console) outside(handle func(*door) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d := &door{c, w, r}
		if err := handle(d); err != nil {
			if err = d.problem(err); err != nil {
				c.log.Error("page could not be made", "path", r.URL.Path, "error", err)
				http.Error(w, errInternal.Title, http.StatusInternalServerError)
			}
		}
	}
}

// readForm reads a form of at most limit bytes.
func (d *door) readForm(limit int64) error {
	d.r.Body = http.MaxBytesReader(d.w, d.r.Body, limit)
	if err := d.r.ParseForm(); err != nil {
		return errForm
	}
	return nil
}

// frame is the frame of a page without a session.
func (d *door) frame(title string, view any) *frame {
	return &frame{links: links(root), Title: title, View: view, Theme: d.theme(), Path: d.here(), now: d.now()}
}

// here is the address to come back to: of this page, or of the one that sent the form.
func (d *door) here() string {
	if d.r.Method == http.MethodGet {
		return d.r.URL.RequestURI()
	}
	if u, err := url.Parse(d.r.Referer()); err == nil && u.Host == d.r.Host && strings.HasPrefix(u.Path, root) {
		return u.RequestURI()
	}
	return root
}

// page answers a page without a session.
func (d *door) page(name, title string, view any) error {
	return d.pageStatus(http.StatusOK, name, title, view)
}

func (d *door) pageStatus(status int, name, title string, view any) error {
	f := d.frame(title, view)
	f.FormToken = formToken(d.doorSecret())
	return d.render(status, name, f, false)
}

// problem answers an error as a page without a session.
func (d *door) problem(err error) error {
	r := d.refusalOf(err)
	return d.pageStatus(r.Status, "problem.html", r.Title, r)
}

// refusalOf is what a page says of an error. What is no refusal is logged in
// full and shown as internal.
func (d *door) refusalOf(err error) *refusal {
	r := asRefusal(err)
	if r == nil {
		d.log.Error("page failed", "path", d.r.URL.Path, "request_id", d.w.Header().Get("X-Request-Id"), "error", err)
		r = errInternal
	}
	shown := *r
	if shown.RequestID == "" {
		shown.RequestID = d.w.Header().Get("X-Request-Id")
	}
	if shown.RetryAfter != "" {
		d.w.Header().Set("Retry-After", shown.RetryAfter)
	}
	return &shown
}

// render writes a page once the whole of it could be made.
func (d *door) render(status int, name string, f *frame, compress bool) error {
	body, err := makePage(d.templates, name, f)
	if err != nil {
		return err
	}
	h := d.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding")
	if compress && len(body) > 1<<10 && acceptsGzip(d.r) {
		h.Set("Content-Encoding", "gzip")
		body = compressed(body, gzip.BestSpeed)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	d.w.WriteHeader(status)
	if d.r.Method != http.MethodHead {
		_, _ = d.w.Write(body) // the browser is gone if this fails
	}
	return nil
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(quality) != "q=0" {
			return true
		}
	}
	return false
}

func compressed(body []byte, level int) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return out.Bytes()
}

// digestOf is a short digest of texts.
func digestOf(texts ...string) string {
	m := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(m, "%d\x00%s", len(text), text)
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
