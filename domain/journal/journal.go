// Package journal records what has no state: denied attempts, reads of the
// audit trail, acts of the operator. Its streams are "access-<date>" in a
// workspace and "operator" under the service's own streams.
package journal

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Event is something worth keeping that no decision depends on.
//
//sumtype:decl
type Event interface {
	domain.Event
	journalEvent()
}

// Denied says that an actor tried what it may not. Repeats within a short time
// are summed up in Count rather than dropped; where an actor tried very many
// things, Code is "several", and Method and Path are "*".
type Denied struct {
	Method     string            `json:"method"`
	Path       string            `json:"path"` // the route's template, never the query
	Code       string            `json:"code"` // as in the problem that was answered
	Permission domain.Permission `json:"permission,omitempty"`
	Count      int               `json:"count"`
}

// ContentOpened says that somebody read the content of records, and why.
type ContentOpened struct {
	Records []string `json:"records"` // event ids
	Reason  string   `json:"reason"`
}

// OperatorActed says what the operator did to a workspace.
type OperatorActed struct {
	Action    string             `json:"action"`
	Workspace domain.WorkspaceID `json:"workspace,omitempty"`
	Reason    string             `json:"reason,omitempty"`
}

// Searched says that somebody searched the audit trail, and for what. The same
// search again within a short time is not recorded again.
type Searched struct {
	Query  string     `json:"q"`
	From   *time.Time `json:"from,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Reason string     `json:"reason,omitempty"` // where the content of what was found was opened
}

// Exported says that somebody took everything that a search finds.
type Exported struct {
	Query  string     `json:"q"`
	From   *time.Time `json:"from,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Format string     `json:"format"`
	Reason string     `json:"reason"`
}

// EventType answers the stored names. They are durable.
func (Denied) EventType() string        { return "access.denied.v1" }
func (ContentOpened) EventType() string { return "access.content_opened.v1" }
func (OperatorActed) EventType() string { return "system.operator_acted.v1" }
func (Searched) EventType() string      { return "access.searched.v1" }
func (Exported) EventType() string      { return "access.exported.v1" }

func (Denied) journalEvent()        {}
func (ContentOpened) journalEvent() {}
func (OperatorActed) journalEvent() {}
func (Searched) journalEvent()      {}
func (Exported) journalEvent()      {}

// Command asks to keep one event.
type Command struct{ Event Event }

// State is nothing: every entry stands alone.
type State struct{}

// Decide keeps what it is given.
func (State) Decide(c Command) ([]Event, error) { return []Event{c.Event}, nil }

// Evolve changes nothing.
func (s State) Evolve(Event) State { return s }
