package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parseTemplates parses all files into one set, so that pages share the layout
// and the partials. A page's file defines "main", and "head" if it has more for
// the document's head; in the set they are called "event.html main" and so on.
// Other names are the set's, and no two files may define the same.
func parseTemplates(a assets) (*template.Template, error) {
	funcs := functions(a)
	set := template.New("").Funcs(funcs)
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		parsed, err := template.New(f.Name()).Funcs(funcs).ParseFS(templateFiles, path.Join("templates", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", f.Name(), err)
		}
		for _, t := range parsed.Templates() {
			name := t.Name()
			if name == "main" || name == "head" {
				name = f.Name() + " " + name
			}
			if set.Lookup(name) != nil {
				return nil, fmt.Errorf("two files define the template %q", name)
			}
			if _, err := set.AddParseTree(name, t.Tree); err != nil {
				return nil, fmt.Errorf("take in %s of %s: %w", name, f.Name(), err)
			}
		}
	}
	return set, nil
}

// makePage makes a page of the set: its own parts, and the layout around them.
func makePage(set *template.Template, name string, f *frame) ([]byte, error) {
	var err error
	if f.Main, err = makePart(set, name+" main", f); err != nil {
		return nil, err
	}
	if head := name + " head"; set.Lookup(head) != nil {
		if f.Head, err = makePart(set, head, f); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, "layout.html", f); err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return out.Bytes(), nil
}

func makePart(set *template.Template, name string, f *frame) (template.HTML, error) {
	var out strings.Builder
	if err := set.ExecuteTemplate(&out, name, f); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // the template escaped it
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
