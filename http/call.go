package http

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// call is what the server knows of one request. One is made per request and
// carried in its context; handlers read it through the functions below.
type call struct {
	id        string // request id
	op        *operation
	caller    Caller
	token     string
	self      bool                // the operation's rule says "self", and may mean the caller
	held      []domain.Permission // those the operation names that the caller holds
	path      string
	key       string // Idempotency-Key
	body      []byte
	code      string // of the problem, for the log
	recorded  bool   // a denial of this call was recorded
	concealed bool   // the answer not_found hides a missing right
	release   func() // gives back the place among the requests in flight; may be called twice
	released  bool
	leave     func()          // gives back what limiter.enter took; nil before
	turn      func()          // gives back the place among those worked on; nil without one
	reserved  int64           // of the memory for bodies
	base      context.Context // of the connection, without the time limit of a request

	http.ResponseWriter
	status  int
	started time.Time
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// callContext carries a call without the cost of a general context value.
type callContext struct {
	context.Context
	call *call
}

func (c callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c.call
	}
	return c.Context.Value(key)
}

func (c *call) operationID() string {
	if c.op == nil {
		return ""
	}
	return c.op.id
}

// WriteHeader notes the status.
func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write notes that an answer began.
func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// holds reports whether the caller holds a permission that the operation names.
func (c *call) holds(p domain.Permission) bool { return slices.Contains(c.held, p) }

// CallerFrom answers who made the request that ctx belongs to. It is the zero
// Caller where the operation needs no token.
func CallerFrom(ctx context.Context) Caller { return callOf(ctx).caller }

// RequestIDFrom answers the id of the request that ctx belongs to.
func RequestIDFrom(ctx context.Context) string { return callOf(ctx).id }

// BodyFrom answers the request's body exactly as it was sent. It must not be changed.
func BodyFrom(ctx context.Context) []byte { return callOf(ctx).body }

// requesterOnly refuses the request unless the operation's rule lets the caller
// touch a thing that by requested. A caller without the right to see the thing
// at all is told that there is none.
func requesterOnly(ctx context.Context, by domain.Actor) error {
	c := callOf(ctx)
	mine := c.caller.Actor == by
	switch {
	case c.op.rule.both && mine:
		return nil // the permission was checked on the way in
	case c.op.rule.both:
		return domain.Refuse(domain.Forbidden, "not_requester", "Only the actor that requested this execution may do this.")
	case mine || len(c.held) > 0:
		return nil
	}
	c.concealed = true
	return errNotFound
}
