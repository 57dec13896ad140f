package http

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections"
)

// The refusals this package makes itself. Each is a row of codes below.
var (
	errUnauthenticated = domain.Refuse(domain.Forbidden, "unauthenticated", "This call needs a valid bearer token.")
	errNotFound        = domain.Refuse(domain.NotFound, "not_found", "There is no such thing here.")
	errNoRoute         = domain.Refuse(domain.NotFound, "no_such_path", "No operation has this path. See /docs.")
	errMethod          = domain.Refuse(domain.Invalid, "method_not_allowed", "This path has no such method. See /docs.")
	errOverloaded      = domain.Refuse(domain.Unavailable, "overloaded", "The service has too much to do. Try again in a second.")
	errStale           = domain.Refuse(domain.Unavailable, "stale_model", "This replica's view of who may do what is not up to date. Try again.")
	errBusy            = domain.Refuse(domain.Unavailable, "overloaded", "Too many commands wait for this already. Try again in a second.")
	errLedger          = domain.Refuse(domain.Unavailable, "ledger_unavailable", "The log can't be written or read now; nothing was done. Try again.")
	errOutcome         = domain.Refuse(domain.Unavailable, "outcome_unknown",
		"Whether this was recorded is not known. Repeat the call with the same Idempotency-Key to find out.")
	errIntegrity  = domain.Refuse(domain.Unavailable, "integrity", "The log holds a record here that this service did not write. Nothing is decided from it; an operator must run verify.")
	errCatchingUp = domain.Refuse(domain.Unavailable, "catching_up", "This replica still reads the log. Try again.")
)

// errRateLimited is the refusal of a caller that sent too much.
var errRateLimited = domain.Refuse(domain.Throttled, "rate_limited", "Too many requests. Wait as Retry-After says.")

// A codeRow says what a problem code means over HTTP where its kind alone does not.
type codeRow struct {
	status int
	title  string
	retry  int // seconds in Retry-After; 0: no such header
}

// codeRows is the one table of codes whose status differs from their kind's,
// or that carry Retry-After.
func codeRows() map[string]codeRow {
	return map[string]codeRow{
		"unauthenticated":        {http.StatusUnauthorized, "Not authenticated", 0},
		"method_not_allowed":     {http.StatusMethodNotAllowed, "Method not allowed", 0},
		"body_too_large":         {http.StatusRequestEntityTooLarge, "Body too large", 0},
		"unsupported_media_type": {http.StatusUnsupportedMediaType, "Unsupported media type", 0},
		"rate_limited":           {http.StatusTooManyRequests, "Too many requests", 1},
		"overloaded":             {http.StatusServiceUnavailable, "Overloaded", 1},
		"ledger_unavailable":     {http.StatusServiceUnavailable, "The log can't be written", 2},
		"index_unavailable":      {http.StatusServiceUnavailable, "The search index can't answer", 5},
		"stale_model":            {http.StatusServiceUnavailable, "Rights are not up to date", 1},
		"outcome_unknown":        {http.StatusGatewayTimeout, "Outcome unknown", 1},
		"integrity":              {http.StatusInternalServerError, "The log fails its check", 0},
		"internal":               {http.StatusInternalServerError, "Internal error", 0},
	}
}

// kindStatus is the status of every kind of refusal.
func kindStatus(k domain.Kind) int {
	switch k {
	case domain.Invalid:
		return http.StatusBadRequest
	case domain.Forbidden:
		return http.StatusForbidden
	case domain.NotFound:
		return http.StatusNotFound
	case domain.Conflict:
		return http.StatusConflict
	case domain.Exceeded:
		return http.StatusPaymentRequired
	case domain.Stale:
		return http.StatusPreconditionFailed
	case domain.Throttled:
		return http.StatusTooManyRequests
	case domain.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// invalid is a refused body or parameter, with the places where it is wrong.
type invalid struct {
	code   string
	detail string
	places []fieldError
}

func (e *invalid) Error() string { return e.code + ": " + e.detail }

func invalidBody(places []fieldError) *invalid {
	return &invalid{"invalid_body", "The body is not what this call takes; errors says where.", places}
}

func invalidParameter(name, detail string) *invalid {
	return &invalid{"invalid_parameter", "A parameter is not what this call takes; errors says which.", []fieldError{{name, detail}}}
}

// refusal is an error in the form the table speaks of. The second result says
// whether it is an accident, to be logged in full and shown as internal.
func refusal(err error) (*domain.Error, []fieldError, bool) {
	var refused *domain.Error
	var wrong *invalid
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &wrong):
		return domain.Refuse(domain.Invalid, wrong.code, "%s", wrong.detail), wrong.places, false
	case errors.As(err, &refused):
		return refused, nil, false
	case errors.Is(err, commands.ErrBusy):
		return errBusy, nil, false
	case errors.Is(err, commands.ErrUnavailable):
		return errLedger, nil, false
	case errors.Is(err, commands.ErrIntegrity):
		return errIntegrity, nil, true
	case errors.Is(err, commands.ErrOutcomeUnknown):
		return errOutcome, nil, false
	case errors.Is(err, projections.ErrNotReady), errors.Is(err, projections.ErrBehind):
		return errCatchingUp, nil, false
	case errors.Is(err, projections.ErrStopped):
		return errCatchingUp, nil, true
	case errors.As(err, &tooLarge):
		return domain.Refuse(domain.Invalid, "body_too_large", "The body is larger than %d bytes, which is the most this call takes.", tooLarge.Limit), nil, false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errOutcome, nil, false
	}
	return domain.Refuse(domain.Unavailable, "internal",
		"Something went wrong here; nothing was granted. Give the request_id to whoever runs this service."), nil, true
}

// problems writes refusals. It is made once, with the table.
type problems struct {
	codes map[string]codeRow
	log   *slog.Logger
}

// status answers the HTTP status and the title of a refusal.
func (p *problems) status(e *domain.Error) (codeRow, string) {
	if row, ok := p.codes[e.Code]; ok {
		return row, row.title
	}
	row := codeRow{status: kindStatus(e.Kind)}
	if row.status == http.StatusServiceUnavailable || row.status == http.StatusTooManyRequests {
		row.retry = 1
	}
	return row, titleOf(e.Code)
}

// titleOf words a code.
func titleOf(code string) string {
	words := strings.ReplaceAll(code, "_", " ")
	if words == "" {
		return "Refused"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// write answers err as an RFC 9457 problem.
func (p *problems) write(w http.ResponseWriter, c *call, err error) {
	refused, places, accident := refusal(err)
	row, title := p.status(refused)
	if accident {
		p.log.Error("request failed", "request_id", c.id, "operation", c.operationID(), "error", err)
	}
	c.code = refused.Code
	body := make(map[string]any, 8+len(refused.Facts))
	for name, fact := range refused.Facts {
		body[name] = fact
	}
	body["type"] = "/docs#" + refused.Code
	body["title"] = title
	body["status"] = row.status
	body["detail"] = refused.Detail
	body["code"] = refused.Code
	body["request_id"] = c.id
	if len(places) > 0 {
		body["errors"] = places
	}
	p.send(w, c, row, body)
}

func (p *problems) send(w http.ResponseWriter, c *call, row codeRow, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil { // a fact that is no JSON
		p.log.Error("problem could not be written", "request_id", c.id, "error", err)
		text = []byte(`{"type":"/docs#internal","title":"Internal error","status":500,"code":"internal"}`)
		row = codeRow{status: http.StatusInternalServerError}
	}
	h := w.Header()
	if row.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="clawoffice-ledger"`)
	}
	if row.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(row.retry))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(row.status)
	_, _ = w.Write(text) // the client is gone if this fails
}
