package http

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

func (c *compiler) text(schema *openapi3.Schema) (check, error) {
	wrong, err := c.textRules(schema)
	if err != nil {
		return nil, err
	}
	return func(s *scan) {
		if s.d.PeekKind() != '"' {
			s.wrongType("a string")
			return
		}
		v, ok := s.value()
		if !ok || wrong == nil {
			return
		}
		if detail := wrong(s.unquoted(v)); detail != "" {
			s.fail("%s", detail)
		}
	}, nil
}

// textRules answers a function that says what is wrong with a string, or nil
// where any string will do.
func (c *compiler) textRules(schema *openapi3.Schema) (func([]byte) string, error) {
	var rules []func([]byte) string
	if schema.MinLength > 0 || schema.MaxLength != nil {
		rules = append(rules, lengthRule(schema))
	}
	if len(schema.Enum) > 0 {
		rules = append(rules, enumRule(schema.Enum))
	}
	if schema.Pattern != "" {
		match, err := c.pattern(schema.Pattern)
		if err != nil {
			return nil, err
		}
		detail := "This must match " + schema.Pattern + "."
		rules = append(rules, func(b []byte) string {
			if match(b) {
				return ""
			}
			return detail
		})
	}
	switch schema.Format {
	case "":
	case "date-time":
		rules = append(rules, timeRule)
	default:
		return nil, fmt.Errorf("format %s is not checked", schema.Format)
	}
	return allOf(rules), nil
}

func allOf(rules []func([]byte) string) func([]byte) string {
	switch len(rules) {
	case 0:
		return nil
	case 1:
		return rules[0]
	}
	return func(b []byte) string {
		for _, r := range rules {
			if wrong := r(b); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

func lengthRule(schema *openapi3.Schema) func([]byte) string {
	least, most := int(schema.MinLength), int(^uint(0)>>1)
	if schema.MaxLength != nil {
		most = int(*schema.MaxLength)
	}
	return func(b []byte) string {
		if len(b) >= least*utf8.UTFMax && len(b) <= most {
			return "" // however the bytes make characters
		}
		switch n := utf8.RuneCount(b); {
		case n < least:
			return fmt.Sprintf("This must have at least %d character(s).", least)
		case n > most:
			return fmt.Sprintf("This may have at most %d characters.", most)
		}
		return ""
	}
}

func enumRule(enum []any) func([]byte) string {
	var values []string
	for _, e := range enum {
		if s, ok := e.(string); ok {
			values = append(values, s)
		}
	}
	detail := "This must be one of " + strings.Join(values, ", ") + "."
	return func(b []byte) string {
		for _, v := range values {
			if v == string(b) {
				return ""
			}
		}
		return detail
	}
}

func timeRule(b []byte) string {
	if _, err := time.Parse(time.RFC3339, string(b)); err != nil {
		return "This must be an RFC 3339 time, such as 2026-11-02T09:30:00Z."
	}
	return ""
}

// compileText makes the check of a parameter, which arrives as text.
func (c *compiler) compileText(ref *openapi3.SchemaRef) (func(string) string, error) {
	schema := ref.Value
	switch {
	case schema.Type.Is("integer"):
		bounds := integerBounds(schema)
		return func(s string) string { return bounds([]byte(s)) }, nil
	case schema.Type.Is("string"):
		rules, err := c.textRules(schema)
		if err != nil {
			return nil, err
		}
		return func(s string) string {
			if !utf8.ValidString(s) {
				return "This is not valid UTF-8."
			}
			if rules == nil {
				return ""
			}
			return rules([]byte(s))
		}, nil
	case schema.Type.Is("boolean"):
		return checkBoolean, nil
	}
	return nil, errors.New("only integers, strings and booleans are checked")
}

// checkBoolean wants the two words that JSON has, and none of Go's others.
func checkBoolean(s string) string {
	if s != "true" && s != "false" {
		return "This is neither true nor false."
	}
	return ""
}

// classPattern answers a fast match for ^[set]{m,n}$ over ASCII, or nil.
func classPattern(p string) func([]byte) bool {
	re, err := syntax.Parse(p, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) != 3 ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[2].Op != syntax.OpEndText {
		return nil
	}
	least, most := 0, -1
	switch rep := re.Sub[1]; rep.Op {
	case syntax.OpStar:
	case syntax.OpPlus:
		least = 1
	case syntax.OpRepeat:
		least, most = rep.Min, rep.Max
	default:
		return nil
	}
	class := re.Sub[1].Sub[0]
	if class.Op != syntax.OpCharClass {
		return nil
	}
	var set [utf8.RuneSelf]bool
	for i := 0; i < len(class.Rune); i += 2 {
		if class.Rune[i+1] >= utf8.RuneSelf {
			return nil
		}
		for r := class.Rune[i]; r <= class.Rune[i+1]; r++ {
			set[r] = true
		}
	}
	return func(b []byte) bool {
		if len(b) < least || (most >= 0 && len(b) > most) {
			return false
		}
		for _, c := range b {
			if c >= utf8.RuneSelf || !set[c] {
				return false
			}
		}
		return true
	}
}
