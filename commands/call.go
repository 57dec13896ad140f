package commands

import (
	"errors"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// Call says who asks, with what credential, and under which command id. A
// command that is tried again has the same ID and the same MAC.
type Call struct {
	Workspace   domain.WorkspaceID
	Actor       domain.Actor
	Credential  domain.CredentialID
	Correlation string
	ID          domain.CommandID
	MAC         string // keyed digest of the request body
}

// Receipt says what came of a call: where its events are, and whether this
// answer repeats an earlier one.
type Receipt struct {
	Position eventlog.Position
	At       time.Time
	Replayed bool
}

// Content is a record of text by or about a person. It rides in the same
// append as the fact that names it by digest.
type Content struct {
	Type    string
	Subject domain.SubjectTag
	Payload []byte
}

// Errors that callers branch on. Refusals by the domain are [*domain.Error].
var (
	// ErrBusy: too many commands wait already; nothing was done.
	ErrBusy = errors.New("too many commands are waiting")
	// ErrUnavailable: the log can't be written or read now; nothing was done.
	ErrUnavailable = errors.New("the ledger can't be written now")
	// ErrOutcomeUnknown: the command may or may not have been recorded; asking
	// again under the same idempotency key finds out.
	ErrOutcomeUnknown = errors.New("whether the command was recorded is not known")
	// ErrIntegrity: the stream holds a record that this ledger did not write.
	// Nothing is decided from it; an operator must run verify.
	ErrIntegrity = errors.New("the stream fails its integrity check")
)

// keyReused refuses another request under a used idempotency key.
func keyReused() *domain.Error {
	return domain.Refuse(domain.Conflict, "idempotency_key_reused",
		"This Idempotency-Key was used for a request with another body. Use a new key for a new request.")
}
