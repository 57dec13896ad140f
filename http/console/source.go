package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// policySource is a policy in the order people read it.
type policySource struct {
	Workflow string          `json:"workflow"`
	Mode     string          `json:"mode"`
	Default  api.Effect      `json:"default"`
	Rules    []ruleSource    `json:"rules"`
	Sandbox  json.RawMessage `json:"sandbox,omitempty"`
}

type ruleSource struct {
	ID       string          `json:"id"`
	Actions  []string        `json:"actions"`
	When     string          `json:"when,omitempty"`
	Effect   api.Effect      `json:"effect"`
	Approval *approvalSource `json:"approval,omitempty"`
	Reason   string          `json:"reason,omitempty"`
}

type approvalSource struct {
	Roles              []string        `json:"roles"`
	Count              int             `json:"count"`
	ExpiresIn          string          `json:"expires_in,omitempty"`
	SeparationOfDuties bool            `json:"separation_of_duties,omitempty"`
	Risk               api.Risk        `json:"risk,omitempty"`
	Escalate           *escalateSource `json:"escalate,omitempty"`
}

type escalateSource struct {
	After string   `json:"after"`
	Roles []string `json:"roles,omitempty"`
}

// sourceOf is the JSON that would write p again, laid out for reading.
func sourceOf(p api.Policy) (string, error) {
	s := policySource{Workflow: p.Workflow, Mode: string(p.Mode), Default: p.Default, Rules: []ruleSource{}, Sandbox: p.Sandbox}
	for _, r := range p.Rules {
		rule := ruleSource{ID: r.ID, Actions: r.Actions, When: r.When, Effect: r.Effect, Reason: r.Reason}
		if a := r.Approval; a.Count > 0 {
			rule.Approval = &approvalSource{append([]string{}, a.Roles...), a.Count, a.ExpiresIn, a.SeparationOfDuties, a.Risk, nil}
			if a.Escalate.After != "" {
				rule.Approval.Escalate = &escalateSource{a.Escalate.After, a.Escalate.Roles}
			}
		}
		s.Rules = append(s.Rules, rule)
	}
	return readable(s)
}

// readable is v as JSON for people: indented, and without escapes for HTML, which
// are the template's business.
func readable(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("lay out JSON: %w", err)
	}
	return out.String(), nil
}

// sourceLine is a line of a text with its number.
type sourceLine struct {
	Number int
	Text   string
	Wrong  bool
}

// around is the lines of a text near one of them.
func around(text string, line int) []sourceLine {
	var out []sourceLine
	for i, l := range strings.Split(text, "\n") {
		if n := i + 1; n >= line-2 && n <= line+2 {
			out = append(out, sourceLine{n, strings.TrimSuffix(l, "\r"), n == line})
		}
	}
	return out
}

// jsonFault says where a text stops being JSON: line and column from 1, and what
// is wrong; line 0 means that it is JSON.
func jsonFault(text string) (line, column int, what string) {
	d := json.NewDecoder(strings.NewReader(text))
	var any json.RawMessage
	err := d.Decode(&any)
	offset := d.InputOffset()
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return 0, 0, ""
		}
		line, column = position(text, begin(text, offset))
		return line, column, "there is something after the end of the JSON value"
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line, column = position(text, syntax.Offset-1)
		return line, column, syntax.Error()
	default:
		line, column = position(text, int64(len(text)))
		return line, column, "the text ends too early"
	}
}

// position is the line and column, from 1, of a byte of text.
func position(text string, offset int64) (line, column int) {
	before := text[:min(max(offset, 0), int64(len(text)))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, len([]rune(before[start:])) + 1
}

// lineOf is the line in which the value that a JSON pointer names begins, or 0.
func lineOf(text, pointer string) int {
	d := json.NewDecoder(strings.NewReader(text))
	var parts []string
	if pointer != "" {
		parts = strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	}
	start := begin(text, 0)
	for _, part := range parts {
		if !descend(d, strings.NewReplacer("~1", "/", "~0", "~").Replace(part)) {
			break // it is missing: what lacks it is shown
		}
		start = begin(text, d.InputOffset())
	}
	line, _ := position(text, start)
	return line
}

// begin is where the next value begins, from an offset on.
func begin(text string, offset int64) int64 {
	rest := text[min(offset, int64(len(text))):]
	return offset + int64(len(rest)-len(strings.TrimLeft(rest, " \t\r\n:,")))
}

// descend reads up to the member or element of the next value that part names,
// and reports whether it is there.
func descend(d *json.Decoder, part string) bool {
	open, err := d.Token()
	if err != nil {
		return false
	}
	switch open {
	case json.Delim('{'):
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return false
			}
			if name == part {
				return true
			}
			if skip(d) != nil {
				return false
			}
		}
	case json.Delim('['):
		n, err := strconv.Atoi(part)
		for i := 0; err == nil && d.More(); i++ {
			if i == n {
				return true
			}
			err = skip(d)
		}
	}
	return false
}

func skip(d *json.Decoder) error {
	var value json.RawMessage
	return d.Decode(&value)
}
