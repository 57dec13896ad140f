package console

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parseTemplates parses each page with the layout and the partials. A page is a
// file of templates/ that is neither the layout nor begins with "partial".
func parseTemplates(a assets) (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(functions(a)).ParseFS(templateFiles, "templates/layout.html", "templates/partial*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, f := range files {
		name := f.Name()
		if name == "layout.html" || strings.HasPrefix(name, "partial") {
			continue
		}
		t, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, path.Join("templates", name)); err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		pages[name] = t
	}
	return pages, nil
}

// functions are what templates call that depends on no request.
func functions(a assets) template.FuncMap {
	return template.FuncMap{
		"asset":  a.url,    // asset "console.css": the address of a static file
		"short":  short,    // short .ID: without its middle
		"millis": millis,   // millis .BehindMs
		"num":    anyCount, // num .Calls: 12,345
		"words":  words,    // words .Status: require_approval as "require approval"
		"dict":   dict,     // dict "Page" $ "Row" .: arguments for a partial
		"tone":   tone,     // tone .Effect: the class of a .tag
		"join":   strings.Join,
	}
}

func anyCount(n any) (string, error) {
	switch n := n.(type) {
	case int:
		return count(n), nil
	case int64:
		return count(n), nil
	}
	return "", fmt.Errorf("num of a %T", n)
}

// words makes a name of the API readable.
func words(name any) string { return strings.ReplaceAll(fmt.Sprint(name), "_", " ") }

func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict wants names and values in turn")
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// tone is the class of a tag that says how a state of the API is to be taken:
// allow, wait, deny, info or none. The word itself always stands in the tag.
func tone(state any) string {
	switch fmt.Sprint(state) {
	case "allow", "approved", "authorized", "succeeded", "completed", "active", "joined", "live", "ready", "enforce", "low":
		return "allow"
	case "require_approval", "awaiting_approval", "pending", "waiting", "not_ready", "invited", "medium", "suspended", "escalated":
		return "wait"
	case "deny", "denied", "failed", "revoked", "removed", "high", "critical", "fatal", "stopped", "exceeded":
		return "deny"
	case "started", "running", "shadow", "observe", "informational", "expired", "canceled", "withdrawn":
		return "info"
	}
	return ""
}
