package searchbook

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Command is what somebody asks of the book.
//
//sumtype:decl
type Command interface{ searchbookCommand() }

// Save gives a search a name. What its text means was checked before.
type Save struct {
	Search domain.SearchID
	Name   string
	Query  string
	Oldest bool
	By     domain.Actor
	At     time.Time
}

// Delete forgets a search; only who saved it may.
type Delete struct {
	Search domain.SearchID
	By     domain.Actor
	At     time.Time
}

// SetRetention replaces how long the index keeps each class.
type SetRetention struct {
	Days      map[string]int
	IfVersion *int // nil: whatever stands
	By        domain.Actor
	At        time.Time
}

func (Save) searchbookCommand()         {}
func (Delete) searchbookCommand()       {}
func (SetRetention) searchbookCommand() {}
