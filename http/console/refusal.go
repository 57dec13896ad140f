package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// refusal is a problem that the API, or the console itself, answered.
type refusal struct {
	api.Problem
	RetryAfter string // seconds
}

func (r *refusal) Error() string { return r.Code + ": " + r.Detail }

// At lists what is wrong at a JSON pointer or below it. Templates show it at the
// field; it may be asked of no refusal at all.
func (r *refusal) At(pointer string) []string {
	if r == nil {
		return nil
	}
	var out []string
	for _, e := range r.Errors {
		if e.Pointer == pointer || strings.HasPrefix(e.Pointer, pointer+"/") {
			out = append(out, e.Detail)
		}
	}
	return out
}

// refuse is a refusal of the console's own.
func refuse(status int, code, title, detail string) *refusal {
	return &refusal{Problem: api.Problem{Status: status, Code: code, Title: title, Detail: detail}}
}

// The refusals of the console's own.
var (
	errNoPage = refuse(http.StatusNotFound, "no_such_page", "There is no such page",
		"The address may be mistyped, or from another version. The menu leads on.")
	errForeignForm = refuse(http.StatusForbidden, "foreign_form", "This was not sent from here",
		"The form is too old, or came from another site or another session. Nothing was changed. Go back, load the page again, and send it once more.")
	errForm = refuse(http.StatusBadRequest, "form_unreadable", "The form could not be read",
		"It is too large or broken. Nothing was changed.")
	errInternal = refuse(http.StatusInternalServerError, "internal", "Something went wrong here",
		"The page could not be made. Try again; if it stays, give the request id to whoever runs this service.")
)

// newRefusal reads a problem. What is no problem is shown by its status alone.
func newRefusal(resp *http.Response, body []byte) *refusal {
	r := &refusal{RetryAfter: resp.Header.Get("Retry-After")}
	if err := json.Unmarshal(body, &r.Problem); err != nil || r.Code == "" {
		r.Problem = api.Problem{Status: resp.StatusCode, Code: "unexpected_answer", Title: http.StatusText(resp.StatusCode),
			Detail: "The ledger answered in a way that this page does not understand."}
	}
	r.Status = resp.StatusCode
	r.placeAlone()
	if r.RequestID == "" {
		r.RequestID = resp.Header.Get("X-Request-Id")
	}
	return r
}

// placeAlone moves the one place that a problem may name beside its errors, with
// the line and column inside that text, to where forms look for it.
func (r *refusal) placeAlone() {
	pointer, ok := r.AdditionalProperties["pointer"].(string)
	if !ok || len(r.Errors) > 0 {
		return
	}
	detail := r.Detail
	line, hasLine := r.AdditionalProperties["line"].(float64)
	column, hasColumn := r.AdditionalProperties["column"].(float64)
	if hasLine && hasColumn && !strings.Contains(detail, "column") {
		detail = fmt.Sprintf("line %.0f, column %.0f: %s", line, column, detail)
	}
	r.Errors = []api.FieldError{{Pointer: pointer, Detail: detail}}
}

// asRefusal is the refusal in err, nil if it is something else or nothing.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}

// correctable is the refusal in err if whoever filled a form in can put it right,
// and so should see the form again: not a session at its end, and nothing that
// went wrong here.
func correctable(err error) *refusal {
	if r := asRefusal(err); r != nil && r.Status < http.StatusInternalServerError && r.Status != http.StatusUnauthorized {
		return r
	}
	return nil
}
