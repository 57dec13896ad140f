package http

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// docsView is what the documentation page shows.
type docsView struct {
	Title, Version, Intro string
	Groups                []docsGroup
	Codes                 []docsCode
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description, Permission string
	Parameters                                         []docsField
	Body, Answer                                       []docsField
	Example, Status, AnswerText                        string
	Problems                                           []string
}

// docsField is one parameter, or one member of a body at any depth.
type docsField struct {
	Name, Type, Limits, Description, In string
	Required                            bool
	Depth                               int
}

type docsCode struct {
	Code, Title string
	Status      int
	Operations  []string
}

func newDocsView(doc *openapi3.T) (docsView, error) {
	v := docsView{Title: doc.Info.Title, Version: doc.Info.Version, Intro: doc.Info.Description}
	ops, err := operations(doc)
	if err != nil {
		return v, err
	}
	for _, tag := range doc.Tags {
		g := docsGroup{Name: tag.Name, Description: tag.Description}
		for _, o := range ops {
			if o.tag == tag.Name {
				g.Operations = append(g.Operations, newDocsOperation(doc, o))
			}
		}
		slices.SortFunc(g.Operations, func(a, b docsOperation) int {
			return strings.Compare(a.Path+methodOrder(a.Method), b.Path+methodOrder(b.Method))
		})
		v.Groups = append(v.Groups, g)
	}
	v.Codes = docsCodes(ops)
	return v, nil
}

func methodOrder(method string) string {
	return fmt.Sprint(slices.Index([]string{"GET", "POST", "PUT", "DELETE"}, method))
}

func newDocsOperation(doc *openapi3.T, o *operation) docsOperation {
	item := doc.Paths.Value(o.template)
	op := item.GetOperation(o.method)
	d := docsOperation{ID: o.id, Method: o.method, Path: o.template, Summary: op.Summary, Description: op.Description,
		Permission: o.rule.text, Problems: o.problems}
	for _, ref := range append(slices.Clone(item.Parameters), op.Parameters...) {
		p := ref.Value
		d.Parameters = append(d.Parameters, docsField{Name: p.Name, In: p.In, Required: p.Required, Description: p.Description,
			Type: typeName(p.Schema.Value), Limits: limits(p.Schema.Value)})
	}
	if op.RequestBody != nil {
		schema := op.RequestBody.Value.Content.Get("application/json").Schema
		d.Body = docsFields(schema, 0, nil)
		d.Example = exampleJSON(schema)
	}
	for _, status := range []string{"200", "201", "204"} {
		if answer := op.Responses.Value(status); answer != nil {
			d.Status, d.AnswerText = status, *answer.Value.Description
			if media := answer.Value.Content.Get("application/json"); media != nil {
				d.Answer = docsFields(media.Schema, 0, nil)
			}
		}
	}
	return d
}

// docsFields lists the members of an object schema and, below each, its own.
// seen stops at a schema that contains itself.
func docsFields(ref *openapi3.SchemaRef, depth int, seen []*openapi3.Schema) []docsField {
	schema := inner(ref)
	if depth > 3 || slices.Contains(seen, schema) {
		return nil
	}
	seen = append(seen, schema)
	var out []docsField
	for _, name := range memberNames(schema) {
		member := schema.Properties[name]
		out = append(out, docsField{Name: name, Depth: depth, Required: slices.Contains(schema.Required, name),
			Type: typeName(member.Value), Limits: limits(member.Value), Description: member.Value.Description})
		out = append(out, docsFields(member, depth+1, seen)...)
	}
	return out
}

// inner is what a schema is made of: an array's item, a map's value.
func inner(ref *openapi3.SchemaRef) *openapi3.Schema {
	s := ref.Value
	for {
		switch {
		case s.Items != nil:
			s = s.Items.Value
		case s.AdditionalProperties.Schema != nil:
			s = s.AdditionalProperties.Schema.Value
		default:
			return s
		}
	}
}

// memberNames puts required members first, in their written order, and then
// the others by name.
func memberNames(s *openapi3.Schema) []string {
	var rest []string
	for name := range s.Properties {
		if !slices.Contains(s.Required, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	required := slices.DeleteFunc(slices.Clone(s.Required), func(n string) bool { return s.Properties[n] == nil })
	return append(required, rest...)
}

func typeName(s *openapi3.Schema) string {
	switch {
	case s.Type == nil:
		return "any"
	case s.Items != nil:
		return "array of " + typeName(s.Items.Value)
	case s.AdditionalProperties.Schema != nil:
		return "map of " + typeName(s.AdditionalProperties.Schema.Value)
	case s.Format != "" && s.Format != "int64":
		return s.Format
	}
	return strings.Join(s.Type.Slice(), " or ")
}

func limits(s *openapi3.Schema) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, e := range s.Enum {
		add("%v", e)
	}
	if s.Pattern != "" {
		add("%s", s.Pattern)
	}
	if s.MinLength > 0 {
		add("≥ %d characters", s.MinLength)
	}
	if s.MaxLength != nil {
		add("≤ %d characters", *s.MaxLength)
	}
	if s.Min != nil {
		add("≥ %.0f", *s.Min)
	}
	if s.Max != nil {
		add("≤ %.0f", *s.Max)
	}
	if s.MaxItems != nil {
		add("≤ %d items", *s.MaxItems)
	}
	return strings.Join(out, " · ")
}

// exampleJSON makes an example out of those of the schema's members.
func exampleJSON(ref *openapi3.SchemaRef) string {
	text, err := json.MarshalIndent(example(ref, 0), "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

func example(ref *openapi3.SchemaRef, depth int) any {
	s := ref.Value
	switch {
	case s.Example != nil:
		return s.Example
	case depth > 5:
		return nil
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Items != nil:
		return []any{example(s.Items, depth+1)}
	case s.AdditionalProperties.Schema != nil:
		return map[string]any{"name": example(s.AdditionalProperties.Schema, depth+1)}
	case s.Type == nil || s.Type.Is("object"):
		out := map[string]any{}
		for name, member := range s.Properties {
			if slices.Contains(s.Required, name) || len(s.Required) == 0 || depth == 0 {
				out[name] = example(member, depth+1)
			}
		}
		return out
	case s.Type.Is("integer"):
		return 1
	case s.Type.Is("boolean"):
		return true
	}
	return "…"
}

// docsCodes lists every problem code with its meaning: those any call can
// have, and then those that operations name.
func docsCodes(ops map[string]*operation) []docsCode {
	p := &problems{codes: codeRows()}
	byCode := map[string]*docsCode{}
	for code, row := range p.codes {
		byCode[code] = &docsCode{Code: code, Title: row.title, Status: row.status}
	}
	for code, status := range commonCodes() {
		byCode[code] = &docsCode{Code: code, Title: titleOf(code), Status: status}
	}
	for _, o := range ops {
		for _, code := range o.problems {
			if byCode[code] == nil {
				byCode[code] = &docsCode{Code: code, Title: titleOf(code)}
			}
			byCode[code].Operations = append(byCode[code].Operations, o.id)
		}
	}
	var out []docsCode
	for _, c := range byCode {
		slices.Sort(c.Operations)
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b docsCode) int { return strings.Compare(a.Code, b.Code) })
	return out
}

// commonCodes are the codes that any operation may answer, beside codeRows.
func commonCodes() map[string]int {
	return map[string]int{
		"permission_denied": 403, "not_found": 404, "no_such_path": 404, "invalid_body": 400, "invalid_parameter": 400,
		"idempotency_key_reused": 409, "workspace_suspended": 409, "version_mismatch": 412, "not_there_yet": 503, "not_in_force_yet": 503,
		"catching_up": 503,
	}
}
