// Package schema joins the decode tables of all aggregates for readers of the
// whole log, and keeps the list of every name ever stored.
//
// A stored name is a literal with a version, and what it means never changes.
// An optional member may be added to an event under its name; a rename, another
// type, a split or a new meaning makes a new version. The Go type is always
// the newest shape; an old name stays in its aggregate's table and is lifted
// there. The frozen samples in testdata hold this to be true.
package schema

import (
	"errors"
	"fmt"
	"strings"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/searchbook"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Errors of Decode.
var (
	// ErrUnknownEvent says that a name is in no table: a newer version of the
	// ledger wrote it, or somebody who is not the ledger.
	ErrUnknownEvent = errors.New("schema: unknown event")

	// ErrNotFact says that a name belongs to content or to bookkeeping, which
	// no aggregate folds.
	ErrNotFact = errors.New("schema: not a fact")
)

// Decode reads a stored fact. It never panics, whatever the data.
func Decode(name string, data []byte) (domain.Event, error) {
	table, _, _ := strings.Cut(name, ".")
	switch table {
	case "workspace":
		return joined(workspace.ErrUnknownEvent, workspace.Decode, name, data)
	case "policy":
		return joined(policy.ErrUnknownEvent, policy.Decode, name, data)
	case "budget":
		return joined(budget.ErrUnknownEvent, budget.Decode, name, data)
	case "execution":
		return joined(execution.ErrUnknownEvent, execution.Decode, name, data)
	case "approval":
		return joined(approval.ErrUnknownEvent, approval.Decode, name, data)
	case "grant":
		return joined(grant.ErrUnknownEvent, grant.Decode, name, data)
	case "search":
		return joined(searchbook.ErrUnknownEvent, searchbook.Decode, name, data)
	case "webhook":
		return joined(webhook.ErrUnknownEvent, webhook.Decode, name, data)
	}
	if class, ok := Kind(name); ok && class != Fact {
		return nil, fmt.Errorf("%w: %q", ErrNotFact, name)
	}
	return joined(journal.ErrUnknownEvent, journal.Decode, name, data)
}

// joined decodes by one aggregate's table.
func joined[E domain.Event](unknown error, decode func(string, []byte) (E, error), name string, data []byte) (domain.Event, error) {
	e, err := decode(name, data)
	switch {
	case errors.Is(err, unknown):
		return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
	case err != nil:
		return nil, err
	}
	return e, nil
}
