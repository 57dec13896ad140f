package grant

import (
	"cmp"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Limits of a workspace's standing grants. What live grants may cover together
// is bounded because which actions they covered is kept until they end.
const (
	MaxLive     = 200     // grants that still cover something
	MaxUses     = 10_000  // of one grant
	MaxPromised = 100_000 // uses of all live grants together
	MaxYears    = 1       // that a grant may last
	keptUses    = 100     // newest uses of each grant that are kept whole
	keptPast    = 200     // grants that are over and still known, the newest
)

// Status is where a grant stands.
type Status string

// The statuses. All but StatusActive are final.
const (
	StatusActive  Status = "active"
	StatusUsedUp  Status = "used_up"
	StatusEnded   Status = "ended" // its time is over
	StatusRevoked Status = "revoked"
)

// Grant is one standing grant. Read it; what it holds is shared.
type Grant struct {
	ID     domain.GrantID    `json:"id"`
	Number int               `json:"number"` // the workspace's first is 1
	Terms  Terms             `json:"terms"`
	By     domain.Actor      `json:"by"`
	Roles  []domain.RoleName `json:"roles"` // that By held
	At     time.Time         `json:"at"`
	Used   int               `json:"used"`           // how often
	Over   int               `json:"over,omitempty"` // the how manyth to be over, 0 while live

	// Covers says what was covered: all of it while the grant is live, and
	// afterwards what Uses has. Uses are the newest, oldest first.
	Covers domain.Map[domain.ExecutionID, Cover] `json:"covers"`
	Uses   []Used                                `json:"uses,omitempty"`

	RevokedAt time.Time    `json:"revoked_at,omitzero"`
	RevokedBy domain.Actor `json:"revoked_by,omitzero"`
	Reason    string       `json:"reason,omitempty"` // of the revocation
}

// Cover is one use in short: which action of an execution, and the how manyth.
type Cover struct {
	Action domain.ActionID `json:"action"`
	Use    int             `json:"use"`
	At     time.Time       `json:"at"`
}

// Status answers where the grant stands at a time.
func (g Grant) Status(at time.Time) Status {
	switch {
	case !g.RevokedAt.IsZero():
		return StatusRevoked
	case g.Used >= g.Terms.MaxUses:
		return StatusUsedUp
	case !at.Before(g.Terms.Until):
		return StatusEnded
	}
	return StatusActive
}

// Concerns reports whether the terms speak of such an action, whoever asks for
// it and whatever the condition says.
func (t Terms) Concerns(kind domain.ActionKind, workflow domain.Workflow, requester domain.Actor) bool {
	if !slices.Contains(t.Kinds, kind) {
		return false
	}
	if !slices.Contains(t.Workflows, "*") && !slices.Contains(t.Workflows, workflow) {
		return false
	}
	return len(t.Agents) == 0 ||
		requester.Kind == domain.KindAgent && slices.Contains(t.Agents, domain.AgentID(requester.ID))
}

// State is all standing grants of a workspace. The zero State has none. Fields
// are exported for snapshots; it is changed only by Evolve.
type State struct {
	Live  domain.Map[domain.GrantID, *Grant] `json:"live"`  // those not yet seen to be over
	Past  domain.Map[domain.GrantID, *Grant] `json:"past"`  // those over, the newest of them
	Given int                                `json:"given"` // how many there ever were
	Over  int                                `json:"over"`  // how many of them are over
}

var _ domain.State[State, Command, Event] = State{}

// Grant answers one grant, live or past.
func (s State) Grant(id domain.GrantID) (Grant, bool) {
	for _, grants := range []domain.Map[domain.GrantID, *Grant]{s.Live, s.Past} {
		if g, ok := grants.Get(id); ok {
			return *g, true
		}
	}
	return Grant{}, false
}

// Grants lists all that are known, newest first.
func (s State) Grants() []Grant {
	all := make([]Grant, 0, s.Live.Len()+s.Past.Len())
	for _, g := range s.Live.All() {
		all = append(all, *g)
	}
	for _, g := range s.Past.All() {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Grant) int { return cmp.Compare(b.Number, a.Number) })
	return all
}

// Candidates lists the grants, oldest first, that are active and speak of such
// an action.
func (s State) Candidates(kind domain.ActionKind, workflow domain.Workflow, requester domain.Actor, at time.Time) []Grant {
	var some []Grant
	for _, g := range s.Live.All() {
		if g.Status(at) == StatusActive && g.By != requester && g.Terms.Concerns(kind, workflow, requester) {
			some = append(some, *g)
		}
	}
	slices.SortFunc(some, func(a, b Grant) int { return cmp.Compare(a.Number, b.Number) })
	return some
}

// Covered answers which grant covered an action. What a grant covered is known
// while it is live; of one that is over, its newest uses are.
func (s State) Covered(execution domain.ExecutionID, action domain.ActionID) (domain.GrantID, Cover, bool) {
	for _, grants := range []domain.Map[domain.GrantID, *Grant]{s.Live, s.Past} {
		for id, g := range grants.All() {
			if c, ok := g.Covers.Get(execution); ok && c.Action == action {
				return id, c, true
			}
		}
	}
	return "", Cover{}, false
}

// Evolve folds one event. It never fails and leaves s as it was.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Given:
		return s.given(e)
	case Used:
		return s.used(e)
	case Revoked:
		return s.revoked(e)
	}
	return s
}
