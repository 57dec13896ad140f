package http

import (
	"fmt"
	"strings"

	"github.com/clawoffice/ledger/domain"
)

// rule is x-permission in a form the server can act on. Written as
//
//	none                            anybody, without a token
//	operator                        the operator alone
//	any                             any actor of the workspace
//	self                            the member the path names
//	p [or q]… [or self|requester]   one of these
//	p and requester                 both
//
// What a requester is only the handler knows, since it has read the thing; the
// rule lets such a call in and tells the handler whether it holds a permission.
type rule struct {
	open        bool
	operator    bool
	anyActor    bool
	self        bool // the caller may be the member named in the path
	requester   bool // the caller may be who requested the thing; the handler decides
	both        bool // a permission and requester
	permissions []domain.Permission
	text        string
}

func parseRule(s string) (rule, error) {
	r := rule{text: s}
	switch s {
	case "":
		return r, fmt.Errorf("x-permission is missing; every operation must say who may call it")
	case "none":
		r.open = true
	case "operator":
		r.operator = true
	case "any":
		r.anyActor = true
	default:
		return r, r.parseTerms(s)
	}
	return r, nil
}

func (r *rule) parseTerms(s string) error {
	terms := strings.Split(s, " or ")
	if left, ok := strings.CutSuffix(s, " and requester"); ok {
		r.both, terms = true, []string{left, "requester"}
	}
	for _, t := range terms {
		switch {
		case t == "self":
			r.self = true
		case t == "requester":
			r.requester = true
		case domain.ValidPermission(domain.Permission(t)):
			r.permissions = append(r.permissions, domain.Permission(t))
		default:
			return fmt.Errorf("x-permission %q: %q is no permission", s, t)
		}
	}
	return nil
}
