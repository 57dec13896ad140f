package http

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
)

// hotOperations are matched first: mux tries its routes one after another.
func hotOperations() []string {
	return []string{"requestExecution", "recordPrompt", "recordCompletion", "startExecution", "completeExecution"}
}

// route is one generated handler with the operation that the specification
// has for it.
type route struct {
	op      *operation
	handler http.Handler
}

// generatedRoutes asks the generated code which routes it has and pairs each
// with its operation. A route without an operation, or an operation without a
// route, is an error: then code and specification do not belong together.
func (s *Server) generatedRoutes(ops map[string]*operation, handlers api.StrictServerInterface) ([]route, error) {
	strict := api.NewStrictHandlerWithOptions(handlers, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.malformed,
		ResponseErrorHandlerFunc: s.fail,
	})
	collected := mux.NewRouter()
	api.HandlerWithOptions(strict, api.GorillaServerOptions{BaseRouter: collected, ErrorHandlerFunc: s.malformed})
	var routes []route
	err := collected.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, _ := r.GetPathTemplate()
		methods, err := r.GetMethods()
		if err != nil {
			return err
		}
		op := ops[methods[0]+" "+template]
		if op == nil {
			return fmt.Errorf("openapi.yaml has no %s %s, but the generated code does; run make generate", methods[0], template)
		}
		routes = append(routes, route{op, r.GetHandler()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op.tag != serviceTag && !slices.ContainsFunc(routes, func(r route) bool { return r.op == op }) {
			return nil, fmt.Errorf("openapi.yaml has %s %s, but the generated code does not; run make generate", op.method, op.template)
		}
	}
	return routes, nil
}

// newRouter registers routes in the order of their heat. Each is preceded by a
// matcher on the path's literal parts, so that mux runs a regular expression
// only for a route that will match.
func (s *Server) newRouter(routes []route) *mux.Router {
	router := mux.NewRouter().SkipClean(true)
	router.NotFoundHandler = s.refuse(errNoRoute)
	router.MethodNotAllowedHandler = s.wrongMethod(routes)
	hot := hotOperations()
	rank := func(r route) int {
		if i := slices.Index(hot, r.op.id); i >= 0 {
			return i
		}
		return len(hot) + strings.Count(r.op.template, "{") // literals before parameters
	}
	slices.SortStableFunc(routes, func(a, b route) int { return rank(a) - rank(b) })
	for _, r := range routes {
		router.NewRoute().MatcherFunc(shapeOf(r.op.template).matches).Path(r.op.template).Methods(r.op.method).
			Handler(s.guarded(r.op, r.handler))
	}
	return router
}

// refuse is a handler that answers err.
func (s *Server) refuse(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.problems.write(w, callOf(r.Context()), err)
	})
}

// wrongMethod answers a path that exists for other methods, and says which.
func (s *Server) wrongMethod(routes []route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, known := range routes {
			if shapeOf(known.op.template).match(r.URL.Path) {
				w.Header().Add("Allow", known.op.method)
			}
		}
		s.problems.write(w, callOf(r.Context()), errMethod)
	})
}

// fail answers an error of a handler.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	c := callOf(r.Context())
	if c.status != 0 {
		s.log.Debug("answer broke off", "request_id", c.id, "operation", c.operationID(), "error", err)
		return
	}
	// What only the thing itself could tell was refused for want of a right is
	// recorded like what was refused at the door.
	// A token that ended meanwhile is nobody's, and leaves no record.
	if refused, _, _ := refusal(err); c.op != nil && refused != errUnauthenticated && (refused.Kind == domain.Forbidden || c.concealed) {
		s.denied(r.Context(), c, refused)
	}
	s.problems.write(w, c, err)
}

// malformed answers what the generated code could not decode although it
// passed the checks; the error's text may repeat content, and is not shown.
func (s *Server) malformed(w http.ResponseWriter, r *http.Request, err error) {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		s.fail(w, r, large)
		return
	}
	s.fail(w, r, &invalid{"invalid_body", "The request could not be read as this call's type.", nil})
}

// shape is a path template as its segments.
type shape []segment

// segment is one part of a template between slashes.
type segment struct {
	variable bool
	text     string // the whole segment, or what follows the variable
	strict   bool   // the variable can hold no colon
}

func shapeOf(template string) shape {
	var out shape
	for part := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		if name, suffix, ok := strings.Cut(part, "}"); ok {
			out = append(out, segment{variable: true, text: suffix, strict: name == "{ws"})
			continue
		}
		out = append(out, segment{text: part})
	}
	return out
}

// matches is a mux matcher.
func (s shape) matches(r *http.Request, _ *mux.RouteMatch) bool { return s.match(r.URL.Path) }

func (s shape) match(path string) bool {
	for _, seg := range s {
		if path == "" || path[0] != '/' {
			return false
		}
		part := path[1:]
		if end := strings.IndexByte(part, '/'); end >= 0 {
			part = part[:end]
		}
		path = path[1+len(part):]
		if !seg.match(part) {
			return false
		}
	}
	return path == ""
}

func (s segment) match(part string) bool {
	if !s.variable {
		return part == s.text
	}
	value, ok := strings.CutSuffix(part, s.text)
	return ok && value != "" && !(s.strict && strings.Contains(value, ":"))
}
