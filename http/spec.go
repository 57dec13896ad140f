package http

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed openapi.yaml
var specification []byte

// Specification answers the OpenAPI document this package serves, as YAML.
func Specification() []byte { return slices.Clone(specification) }

const (
	defaultMaxBody = 1 << 20
	serviceTag     = "service" // operations that stand outside the generated server
)

// operation is what the specification says about one method and path.
type operation struct {
	id        string
	method    string
	template  string // such as /v1/workspaces/{ws}/members
	tag       string
	rule      rule
	params    []parameter
	inBody    check // nil when the operation takes no body
	needsBody bool
	maxBody   int64
	streams   bool // answers for as long as it takes: server-sent events, exports
	workspace bool // has {ws}
	problems  []string
	metrics   *routeMetrics
}

// parameter is one path, query or header parameter.
type parameter struct {
	name     string
	in       string
	required bool
	check    func(string) string // answers what is wrong, or ""
}

// loadSpec reads the embedded document. That it is valid, examples included, is
// tested and not asked again at every start.
func loadSpec() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(specification)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return doc, nil
}

// What is embedded is read once for all servers of a process. Nobody changes
// what was read, and the page never differs.
var (
	readSpec = sync.OnceValues(loadSpec)
	readDocs = sync.OnceValues(func() (http.Handler, error) {
		doc, err := readSpec()
		if err != nil {
			return nil, err
		}
		return docsPage(doc)
	})
)

// operations lists every operation of doc by its method and path template.
func operations(doc *openapi3.T) (map[string]*operation, error) {
	all := map[string]*operation{}
	schemas := newCompiler()
	for template, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o, err := newOperation(schemas, method, template, item, op)
			if err != nil {
				return nil, fmt.Errorf("openapi.yaml: %s %s: %w", method, template, err)
			}
			all[method+" "+template] = o
		}
	}
	return all, nil
}

func newOperation(c *compiler, method, template string, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	if op.OperationID == "" || len(op.Tags) != 1 {
		return nil, errors.New("needs an operationId and exactly one tag")
	}
	o := &operation{id: op.OperationID, method: method, template: template, tag: op.Tags[0], maxBody: defaultMaxBody}
	var err error
	if o.rule, err = parseRule(extension[string](op.Extensions, "x-permission")); err != nil {
		return nil, err
	}
	if n := extension[float64](op.Extensions, "x-max-body"); n > 0 {
		o.maxBody = int64(n)
	}
	for _, p := range extension[[]any](op.Extensions, "x-problems") {
		code, _ := p.(string)
		o.problems = append(o.problems, code)
	}
	if ok := op.Responses.Status(200); ok != nil && ok.Value != nil {
		o.streams = ok.Value.Content.Get("text/event-stream") != nil || ok.Value.Content.Get("application/x-ndjson") != nil
	}
	if o.params, err = parameters(c, append(slices.Clone(item.Parameters), op.Parameters...)); err != nil {
		return nil, err
	}
	o.workspace = slices.ContainsFunc(o.params, func(p parameter) bool { return p.in == "path" && p.name == "ws" })
	return o, o.compileBody(c, op.RequestBody)
}

func (o *operation) compileBody(c *compiler, body *openapi3.RequestBodyRef) (err error) {
	if body == nil {
		o.inBody = emptyObject
		return nil
	}
	media := body.Value.Content.Get("application/json")
	if media == nil {
		return errors.New("the request body must be application/json")
	}
	o.needsBody = body.Value.Required
	o.inBody, err = c.compile(media.Schema)
	return err
}

func parameters(c *compiler, refs openapi3.Parameters) ([]parameter, error) {
	var out []parameter
	for _, ref := range refs {
		p := ref.Value
		check, err := c.compileText(p.Schema)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		out = append(out, parameter{name: p.Name, in: p.In, required: p.Required, check: check})
	}
	return out, nil
}

// extension answers an x- member when it is of type T. kin-openapi leaves some
// members as raw JSON and decodes others.
func extension[T any](m map[string]any, name string) T {
	var zero T
	switch v := m[name].(type) {
	case T:
		return v
	case json.RawMessage:
		var out T
		if json.Unmarshal(v, &out) == nil {
			return out
		}
	}
	return zero
}
