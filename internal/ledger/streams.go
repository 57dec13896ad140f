package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Streams are named "<workspace>/<aggregate>-<id>".

// WorkspaceStream is where a workspace's members, roles, agents and tokens are.
func WorkspaceStream(ws domain.WorkspaceID) string { return string(ws) + "/workspace-" + string(ws) }

// PolicyStream is where all policies of a workspace are.
func PolicyStream(ws domain.WorkspaceID) string { return string(ws) + "/policy-main" }

// BudgetStream is the one spending book of a workspace.
func BudgetStream(ws domain.WorkspaceID) string { return string(ws) + "/budget-book" }

// ExecutionStream is one execution's.
func ExecutionStream(ws domain.WorkspaceID, id domain.ExecutionID) string {
	return string(ws) + "/execution-" + string(id)
}

// ApprovalStream is one approval's.
func ApprovalStream(ws domain.WorkspaceID, id domain.ApprovalID) string {
	return string(ws) + "/approval-" + string(id)
}

// GrantStream is where all standing grants of a workspace are.
func GrantStream(ws domain.WorkspaceID) string { return string(ws) + "/grant-book" }

// SearchStream is where a workspace's saved searches are, and how long its
// search index keeps events.
func SearchStream(ws domain.WorkspaceID) string { return string(ws) + "/search-book" }

// WebhookStream is one receiver's: its settings, and what became of every
// notification.
func WebhookStream(ws domain.WorkspaceID, id domain.WebhookID) string {
	return string(ws) + "/webhook-" + string(id)
}

// ContentStream holds the parts of one large content.
func ContentStream(ws domain.WorkspaceID, id string) string { return string(ws) + "/content-" + id }

// AccessStream holds a day's denied attempts and reads of the audit trail.
func AccessStream(ws domain.WorkspaceID, day time.Time) string {
	return string(ws) + "/access-" + day.UTC().Format(time.DateOnly)
}

// KeyStream holds one wrapped data key.
func KeyStream(ws domain.WorkspaceID, key string) string { return string(ws) + "/key-" + key }

// The service's own streams.
const (
	OperatorStream = "_system/operator" // what the operator did
	CheckStream    = "_system/keys"     // which key directory this log belongs to
	LeaseStream    = "_system/lease"    // which replica does the work of one
)

// WorkspaceOf answers the workspace that a stream belongs to.
func WorkspaceOf(stream string) (domain.WorkspaceID, error) {
	ws, rest, ok := strings.Cut(stream, "/")
	if !ok || rest == "" || ws != string(domain.System) && !domain.ValidWorkspaceID(ws) {
		return "", fmt.Errorf("%w: %q is not the name of a stream of the ledger", ErrMalformed, stream)
	}
	return domain.WorkspaceID(ws), nil
}

// IsKeyStream reports whether the stream holds a data key.
func IsKeyStream(stream string) bool {
	_, rest, _ := strings.Cut(stream, "/")
	return strings.HasPrefix(rest, "key-")
}

// IsContent reports whether a stored name is that of content by or about a
// person, which has a key of its own and can be erased.
func IsContent(name string) bool { return strings.HasPrefix(name, "content.") }

// IsBookkeeping reports whether the stream is the service's own: it is not
// shown among a workspace's events, not exported, and triggers nothing.
func IsBookkeeping(stream string) bool {
	ws, rest, _ := strings.Cut(stream, "/")
	return ws == string(domain.System) || strings.HasPrefix(rest, "key-") ||
		strings.HasPrefix(rest, "sink-") || strings.HasPrefix(rest, "checkpoint-")
}
