package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clawoffice/ledger/http/api"
)

// exactAction is an action as people have to judge it: in a sentence, parameter
// by parameter, and as the text that its digest is of.
type exactAction struct {
	Kind      string
	Sentence  []phrase
	Params    []param
	Omitted   int    // parameters that are only in the text
	Pretty    string // the parameters, a line for each
	Canonical string // what the digest covers
	Digest    string
	Agrees    bool // the digest is that of Canonical
}

// maxParams is how many parameters are laid out; a megabyte may have very many.
const maxParams = 400

func newExactAction(ws, execution, policy string, version int, in api.ActionInput, digest string) exactAction {
	a := exactAction{Kind: in.Kind, Digest: digest}
	root, err := parseParams(in.Params)
	if err != nil { // the ledger takes no such action; its text is shown as it is
		a.Canonical = string(in.Params)
		a.Sentence = sentence(in.Kind, nil)
		return a
	}
	a.Sentence = sentence(in.Kind, root.Items)
	left := maxParams
	a.Params = trimmed(root.Items, &left)
	a.Omitted = max(root.size()-maxParams, 0)
	a.Pretty = prettyParams(in.Params)
	if a.Canonical, err = canonicalAction(ws, execution, policy, version, in); err == nil {
		a.Agrees = sha256Text(a.Canonical) == digest
	}
	return a
}

// sha256Text is a digest as the ledger writes it.
func sha256Text(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// canonicalAction is the text that the digest of an action is of: the RFC 8785
// form of a document that the documentation of the API spells out.
func canonicalAction(ws, execution, policy string, version int, in api.ActionInput) (string, error) {
	params := in.Params
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	text, err := json.Marshal(map[string]any{"v": "claw-action/1", "workspace": ws, "execution": execution, "kind": in.Kind,
		"params": params, "policy": map[string]any{"id": policy, "version": version}})
	if err != nil {
		return "", fmt.Errorf("write an action: %w", err)
	}
	canonical := jsontext.Value(text)
	if err := canonical.Canonicalize(); err != nil {
		return "", fmt.Errorf("bring an action into canonical form: %w", err)
	}
	return string(canonical), nil
}

// param is a value of the parameters, with what is inside of it.
type param struct {
	Name  string // of a member; an element's number
	Kind  string // object, array, string, number, bool or null
	Text  string // of a scalar
	Items []param
}

// size is how many values are inside.
func (p param) size() int {
	n := len(p.Items)
	for _, i := range p.Items {
		n += i.size()
	}
	return n
}

// trimmed is the first values, as many as are left to show.
func trimmed(items []param, left *int) []param {
	var out []param
	for _, p := range items {
		if *left == 0 {
			break
		}
		*left--
		p.Items = trimmed(p.Items, left)
		out = append(out, p)
	}
	return out
}

// parseParams reads parameters in the order in which they were sent.
func parseParams(text json.RawMessage) (param, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if len(text) == 0 {
		return param{Kind: "object"}, nil
	}
	p, err := parseParam(d, 0)
	if err == nil && p.Kind != "object" {
		err = fmt.Errorf("parameters are of the kind %s", p.Kind)
	}
	return p, err
}

func parseParam(d *json.Decoder, depth int) (param, error) {
	token, err := d.Token()
	if err != nil {
		return param{}, fmt.Errorf("read parameters: %w", err)
	}
	switch t := token.(type) {
	case json.Delim:
		return parseInside(d, t, depth)
	case string:
		return param{Kind: "string", Text: visible(t)}, nil
	case json.Number:
		return param{Kind: "number", Text: t.String()}, nil
	case bool:
		return param{Kind: "bool", Text: strconv.FormatBool(t)}, nil
	}
	return param{Kind: "null", Text: "null"}, nil
}

func parseInside(d *json.Decoder, open json.Delim, depth int) (p param, err error) {
	p.Kind = map[json.Delim]string{'{': "object", '[': "array"}[open]
	if p.Kind == "" || depth > 100 {
		return p, io.ErrUnexpectedEOF
	}
	for n := 0; d.More(); n++ {
		name := strconv.Itoa(n)
		if open == '{' {
			token, err := d.Token()
			if err != nil {
				return p, fmt.Errorf("read parameters: %w", err)
			}
			name = visible(fmt.Sprint(token))
		}
		inner, err := parseParam(d, depth+1)
		if err != nil {
			return p, err
		}
		inner.Name = name
		p.Items = append(p.Items, inner)
	}
	if _, err = d.Token(); err != nil {
		return p, fmt.Errorf("read parameters: %w", err)
	}
	return p, nil
}

// visible spells out what would not be seen, or would make the rest be seen
// otherwise: controls, marks of direction and letters without width. Whoever
// decides must not be shown another text than the one that takes effect.
func visible(text string) string {
	if strings.IndexFunc(text, deceptive) < 0 {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if deceptive(r) {
			fmt.Fprintf(&out, `\u{%x}`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func deceptive(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) ||
		r == '\u2028' || r == '\u2029' || r == '\u00a0' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0')
}

// prettyParams lays parameters out for reading and comparing: sorted, a value a
// line.
func prettyParams(text json.RawMessage) string {
	if len(text) == 0 {
		return "{}\n"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return visible(string(text))
	}
	out, err := readable(value)
	if err != nil {
		return visible(string(text))
	}
	return visible(out)
}
