package http

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/clawoffice/ledger/domain"
)

// Caller is the holder of a credential.
type Caller struct {
	Workspace  domain.WorkspaceID // "" for the operator
	Actor      domain.Actor
	Credential domain.CredentialID
}

// ErrUnknownToken is a Gate's answer about a token that is nobody's: never
// issued, expired, revoked, or of somebody who was removed.
var ErrUnknownToken = errors.New("unknown token")

// Gate says who callers are and what they may do, from the access read model.
//
// Identify answers the holder of a token, or ErrUnknownToken. Holds reports
// whether the caller holds the permission now. Both may refuse with a
// domain.Error, such as when the model is too old to be trusted.
type Gate interface {
	Identify(ctx context.Context, token string) (Caller, error)
	Holds(ctx context.Context, caller Caller, permission domain.Permission) (bool, error)
}

// Denial is an attempt that was refused for want of a right.
type Denial struct {
	Caller     Caller
	Method     string
	Path       string            // the operation's template
	Code       string            // as in the problem
	Permission domain.Permission // what was missing, where that is a permission
}

// Trail records denied attempts. It must not block for long; the refusal is
// answered whether or not the record could be made, and what it returns is logged.
type Trail interface {
	Denied(ctx context.Context, d Denial) error
}

// authenticate finds out who calls. Calls without a valid token are counted
// and limited by address, and are not recorded.
func (s *Server) authenticate(r *http.Request, c *call) error {
	if c.op.rule.open {
		return s.limits.anonymous(r)
	}
	token, ok := bearer(r)
	if !ok {
		return s.unauthenticated(r)
	}
	caller, err := s.gate.Identify(r.Context(), token)
	if errors.Is(err, ErrUnknownToken) {
		return s.unauthenticated(r)
	}
	c.caller, c.token = caller, token
	return err
}

func (s *Server) unauthenticated(r *http.Request) error {
	s.metrics.unauthenticated.Inc()
	if err := s.limits.anonymous(r); err != nil {
		return err
	}
	return errUnauthenticated
}

func bearer(r *http.Request) (string, bool) {
	h := r.Header["Authorization"]
	if len(h) != 1 || len(h[0]) < 8 || !strings.EqualFold(h[0][:7], "Bearer ") {
		return "", false
	}
	return h[0][7:], true
}

// authorize checks the operation's rule. What lies in another workspace is
// answered like what does not exist; both kinds of refusal are recorded.
func (s *Server) authorize(r *http.Request, c *call) error {
	rule := c.op.rule
	if rule.open {
		return nil
	}
	operator := c.caller.Actor.Kind == domain.KindOperator
	if c.op.workspace && (operator != rule.operator || !operator) {
		if string(c.caller.Workspace) != mux.Vars(r)["ws"] {
			s.denied(r.Context(), c, errNotFound)
			return errNotFound
		}
	}
	c.self = rule.self && (!c.op.named() || c.caller.Actor == domain.MemberActor(domain.MemberID(mux.Vars(r)["id"])))
	return s.permitted(r.Context(), c)
}

// permitted holds a caller in the right place against the operation's rule.
func (s *Server) permitted(ctx context.Context, c *call) error {
	rule, operator := c.op.rule, c.caller.Actor.Kind == domain.KindOperator
	switch {
	case rule.operator && operator, rule.anyActor && !operator:
		return nil
	case rule.operator:
		return s.forbid(ctx, c)
	}
	return s.checkPermissions(ctx, c)
}

func (s *Server) checkPermissions(ctx context.Context, c *call) error {
	rule := c.op.rule
	c.held = c.held[:0]
	for _, p := range rule.permissions {
		held, err := s.gate.Holds(ctx, c.caller, p)
		if err != nil {
			return err
		}
		if held {
			c.held = append(c.held, p)
		}
	}
	// Where self names no member, or a requester is meant, the handler knows
	// whose thing it is.
	if len(c.held) > 0 || c.self || rule.requester && !rule.both {
		return nil
	}
	return s.forbid(ctx, c)
}

// named reports whether the path names the member that "self" speaks of.
func (o *operation) named() bool { return strings.Contains(o.template, "/members/{id}") }

// forbid records the attempt and answers the refusal that names what is missing.
func (s *Server) forbid(ctx context.Context, c *call) error {
	err := permissionDenied(c.op.rule)
	s.denied(ctx, c, err)
	return err
}

func permissionDenied(r rule) *domain.Error {
	switch {
	case r.operator:
		return domain.Refuse(domain.Forbidden, "permission_denied", "Only the operator may make this call.").With("permission", "operator")
	case r.anyActor:
		return domain.Refuse(domain.Forbidden, "permission_denied", "Only a member or an agent of a workspace may make this call.").With("permission", "any")
	case len(r.permissions) == 0:
		return domain.Refuse(domain.Forbidden, "permission_denied", "Only that member may make this call.").With("permission", r.text)
	}
	return domain.Refuse(domain.Forbidden, "permission_denied", "This call needs the permission %s.", r.permissions[0]).
		With("permission", string(r.permissions[0]))
}

// denied records an attempt that was refused for want of a right.
func (s *Server) denied(ctx context.Context, c *call, err *domain.Error) {
	if c.recorded || c.caller.Actor == (domain.Actor{}) {
		return
	}
	c.recorded = true
	s.metrics.denied.Inc()
	d := Denial{Caller: c.caller, Method: c.op.method, Path: c.op.template, Code: err.Code}
	if len(c.op.rule.permissions) > 0 {
		d.Permission = c.op.rule.permissions[0]
	}
	if err := s.trail.Denied(ctx, d); err != nil {
		s.log.Error("a denied attempt could not be recorded", "request_id", c.id, "operation", c.op.id, "error", err)
	}
}
