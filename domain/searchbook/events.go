package searchbook

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Event is something that happened to the book.
//
//sumtype:decl
type Event interface {
	domain.Event
	searchbookEvent()
}

// Saved gives a search a name. Query is what the person typed.
type Saved struct {
	Search domain.SearchID `json:"search"`
	Name   string          `json:"name"`
	Query  string          `json:"q"`
	Oldest bool            `json:"oldest,omitempty"` // oldest first
	By     domain.Actor    `json:"by"`
	At     time.Time       `json:"at"`
}

// Deleted forgets a saved search.
type Deleted struct {
	Search domain.SearchID `json:"search"`
	By     domain.Actor    `json:"by"`
	At     time.Time       `json:"at"`
}

// RetentionSet says how many days the index keeps events, by class. Classes
// that are not named are kept without end.
type RetentionSet struct {
	Version int            `json:"version"` // from 1
	Days    map[string]int `json:"days"`
	By      domain.Actor   `json:"by"`
	At      time.Time      `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Saved) EventType() string        { return "search.saved.v1" }
func (Deleted) EventType() string      { return "search.deleted.v1" }
func (RetentionSet) EventType() string { return "search.retention_set.v1" }

func (Saved) searchbookEvent()        {}
func (Deleted) searchbookEvent()      {}
func (RetentionSet) searchbookEvent() {}
