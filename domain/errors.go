package domain

import "fmt"

// Kind groups refusals by what a caller can do about them. The order is not
// stored anywhere.
type Kind int

// The kinds of refusal, and the HTTP status the http package gives each.
const (
	Invalid     Kind = iota + 1 // the request itself is wrong: 400
	Forbidden                   // this actor may not: 403
	NotFound                    // no such thing here: 404
	Conflict                    // not in this state, or somebody was first: 409
	Exceeded                    // a budget does not allow it: 402
	Stale                       // If-Match named another version: 412
	Throttled                   // too many requests: 429
	Unavailable                 // try again later; nothing was done: 503
)

// Error is a refusal: the request was understood and is not granted. Code is
// stable and machine-readable; Detail says in a sentence what is wrong and
// what to do, and never holds content. Facts hold figures a caller may want
// (a limit, what was used), shown beside the problem.
type Error struct {
	Kind   Kind
	Code   string
	Detail string
	Facts  map[string]any
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Refuse makes an [*Error].
func Refuse(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// With adds a fact and answers e.
func (e *Error) With(name string, value any) *Error {
	if e.Facts == nil {
		e.Facts = map[string]any{}
	}
	e.Facts[name] = value
	return e
}
