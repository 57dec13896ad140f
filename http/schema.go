package http

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// check consumes one JSON value from a scan and notes what is wrong with it.
type check func(*scan)

// compiler turns schemas of the specification into checks, once, at start.
// It knows the keywords that request bodies here use and refuses a schema with
// any other, so that no written limit can go unchecked.
type compiler struct {
	done     map[*openapi3.Schema]check
	patterns map[string]func([]byte) bool
}

func newCompiler() *compiler {
	return &compiler{done: map[*openapi3.Schema]check{}, patterns: map[string]func([]byte) bool{}}
}

func (c *compiler) compile(ref *openapi3.SchemaRef) (check, error) {
	s := ref.Value
	if done, ok := c.done[s]; ok {
		return done, nil
	}
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0 || s.Not != nil || s.UniqueItems || s.MultipleOf != nil || s.Nullable {
		return nil, fmt.Errorf("schema %s uses a keyword that request bodies are not checked for", ref.Ref)
	}
	made, err := c.byType(s)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", ref.Ref, err)
	}
	c.done[s] = made
	return made, nil
}

func (c *compiler) byType(s *openapi3.Schema) (check, error) {
	if s.Type == nil || len(s.Type.Slice()) == 0 {
		return free, nil
	}
	switch {
	case s.Type.Is("object"):
		return c.object(s)
	case s.Type.Is("array"):
		return c.array(s)
	case s.Type.Is("string"):
		return c.text(s)
	case s.Type.Is("integer"):
		return c.integer(s), nil
	case s.Type.Is("boolean"):
		return boolean(s), nil
	}
	return nil, fmt.Errorf("type %v is not checked", s.Type.Slice())
}

// field is one property of an object.
type field struct {
	name  string
	bit   uint64 // of required fields
	check check
}

// object is the compiled form of an object schema.
type object struct {
	fields     map[string]field
	required   []field
	extra      check // nil: no other fields
	keyPattern func([]byte) bool
	minimum    int
	maximum    int
	exactlyOne []string
}

func (c *compiler) object(s *openapi3.Schema) (check, error) {
	o := object{fields: map[string]field{}, minimum: int(s.MinProps), exactlyOne: anyStrings(s.Extensions, "x-exactly-one")}
	if s.MaxProps != nil {
		o.maximum = int(*s.MaxProps)
	}
	if err := c.extra(s, &o); err != nil {
		return nil, err
	}
	for name, ref := range s.Properties {
		inner, err := c.compile(ref)
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", name, err)
		}
		f := field{name: name, check: inner}
		if slices.Contains(s.Required, name) || slices.Contains(o.exactlyOne, name) {
			f.bit = 1 << len(o.required)
			o.required = append(o.required, f)
		}
		o.fields[name] = f
	}
	if len(o.required) > 64 {
		return nil, fmt.Errorf("more than 64 required properties")
	}
	slices.SortFunc(o.required, func(a, b field) int { return slices.Index(s.Required, a.name) - slices.Index(s.Required, b.name) })
	if len(o.fields) == 0 && o.extra != nil && s.AdditionalProperties.Schema == nil {
		return freeObject, nil
	}
	return o.check, nil
}

func (c *compiler) extra(s *openapi3.Schema, o *object) (err error) {
	if pattern := extension[string](s.Extensions, "x-key-pattern"); pattern != "" {
		if o.keyPattern, err = c.pattern(pattern); err != nil {
			return err
		}
	}
	additional := s.AdditionalProperties
	switch {
	case additional.Schema != nil:
		o.extra, err = c.compile(additional.Schema)
		return err
	case additional.Has != nil && *additional.Has:
		o.extra = free
	case additional.Has == nil:
		return fmt.Errorf("a request object must say additionalProperties")
	}
	return nil
}

func anyStrings(m map[string]any, name string) []string {
	var out []string
	for _, v := range extension[[]any](m, name) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (c *compiler) array(s *openapi3.Schema) (check, error) {
	item, err := c.compile(s.Items)
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	least, most := int(s.MinItems), -1
	if s.MaxItems != nil {
		most = int(*s.MaxItems)
	}
	return func(sc *scan) { checkArray(sc, item, least, most) }, nil
}

// pattern compiles a regular expression, and turns one of the form ^[set]{m,n}$
// into a look at a table, which most identifiers need and which is far faster.
func (c *compiler) pattern(p string) (func([]byte) bool, error) {
	if done, ok := c.patterns[p]; ok {
		return done, nil
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, err
	}
	match := re.Match
	if fast := classPattern(p); fast != nil {
		match = fast
	}
	c.patterns[p] = match
	return match, nil
}
