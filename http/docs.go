package http

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed docs.gohtml
var docsTemplate string

//go:embed docs.css
var docsStyle string

func serveSpecification(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Length", strconv.Itoa(len(specification)))
	_, _ = w.Write(specification)
}

// docsPage renders the specification once. The page loads nothing: its style
// is inside it, allowed by its hash, and it has no script.
func docsPage(doc *openapi3.T) (http.Handler, error) {
	view, err := newDocsView(doc)
	if err != nil {
		return nil, err
	}
	functions := template.FuncMap{"prose": prose, "style": func() template.CSS { return template.CSS(docsStyle) }} //nolint:gosec // our own file
	page, err := template.New("docs").Funcs(functions).Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("docs.gohtml: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, view); err != nil {
		return nil, fmt.Errorf("docs.gohtml: %w", err)
	}
	sum := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Length", strconv.Itoa(out.Len()))
		_, _ = w.Write(out.Bytes())
	}), nil
}

var (
	codeSpan  = regexp.MustCompile("`([^`]+)`")
	boldSpan  = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	paragraph = regexp.MustCompile(`\n\s*\n`)
)

// prose renders the little Markdown that the specification uses: paragraphs,
// code and bold.
func prose(text string) template.HTML {
	var out bytes.Buffer
	for _, p := range paragraph.Split(text, -1) {
		escaped := template.HTMLEscapeString(p)
		escaped = codeSpan.ReplaceAllString(escaped, "<code>$1</code>")
		escaped = boldSpan.ReplaceAllString(escaped, "<strong>$1</strong>")
		out.WriteString("<p>" + escaped + "</p>")
	}
	return template.HTML(out.String()) //nolint:gosec // escaped above
}
