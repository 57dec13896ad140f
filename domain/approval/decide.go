package approval

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// maxReason bounds the text somebody gives with a vote, in bytes.
const maxReason = 4096

// Decide answers the events that follow from a command, or a [*domain.Error].
//
// A vote or a withdrawal that comes when the approval is overdue answers the
// event [Expired] and no error, because a refusal writes nothing and the
// expiry has to be written. Whoever sent the command looks at the Status that
// results: it is "expired", and the person is told approval_expired.
//
// Likewise a vote that relies on the escalation, and comes when that is due but
// not written, is answered with [Escalated] before it.
func (s State) Decide(command Command) ([]Event, error) {
	if open, ok := command.(Open); ok {
		return s.open(open)
	}
	if !s.Exists() {
		return nil, domain.Refuse(domain.NotFound, "approval_unknown", "There is no such approval.")
	}
	switch c := command.(type) {
	case Vote:
		return s.vote(c)
	case Withdraw:
		return s.withdraw(c)
	case Expire:
		return s.expire(c.At), nil
	case Escalate:
		return s.escalate(c.At), nil
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "An approval does not know this command.")
}

// open is answered once. A repeat for the same action changes nothing, since
// the process that opens approvals may run again after a crash.
func (s State) open(c Open) ([]Event, error) {
	r := c.Request
	if s.Exists() {
		if s.Request.Execution == r.Execution && s.Request.Action == r.Action && s.Request.Digest == r.Digest {
			return nil, nil
		}
		return nil, domain.Refuse(domain.Conflict, "approval_exists",
			"The approval %s was opened for another action. Ask for a new approval.", s.Request.Approval)
	}
	if err := checkRequest(r); err != nil {
		return nil, err
	}
	if len(r.Params) == 0 {
		r.Params = json.RawMessage(`{}`)
	}
	r.At = c.At
	r.ExpiresAt = c.At.Add(r.Requirement.Expiry())
	return []Event{r}, nil
}

func checkRequest(r Requested) error {
	need := r.Requirement
	switch {
	case r.Approval == "" || r.Execution == "" || r.Action == "" || r.Digest == "":
		return domain.Refuse(domain.Invalid, "invalid_approval",
			"An approval names itself, an execution, an action and the action's digest.")
	case r.Requester.Kind == "":
		return domain.Refuse(domain.Invalid, "invalid_approval", "An approval names its requester.")
	case need.Count < 1:
		return domain.Refuse(domain.Invalid, "invalid_requirement",
			"The requirement asks for %d approvals. Ask for at least 1.", need.Count)
	case len(r.Params) > 0 && !json.Valid(r.Params):
		return domain.Refuse(domain.Invalid, "invalid_approval", "The action's parameters are not JSON.")
	}
	if e := need.Escalate; e != nil {
		if d, err := time.ParseDuration(e.After); err != nil || d <= 0 {
			return domain.Refuse(domain.Invalid, "invalid_requirement",
				"The escalation's delay is not a positive duration. Write one such as 30m.")
		}
	}
	return nil
}

func (s State) vote(c Vote) ([]Event, error) {
	if err := s.mayVote(c); err != nil {
		return nil, err
	}
	if voted, ok := s.partOf(c); ok {
		return nil, s.again(voted, c)
	}
	if err := s.holdsRole(c); err != nil {
		return nil, err
	}
	if !s.Open() {
		return nil, s.decided()
	}
	if s.Overdue(c.At) {
		return []Event{Expired{At: c.At}}, nil
	}
	if c.Digest != s.Request.Digest {
		return nil, domain.Refuse(domain.Conflict, "action_changed",
			"The vote names another action than this approval covers. Look at the approval again and decide on what it shows.")
	}
	var events []Event
	if !s.accepts(c.Roles) { // the vote relies on the escalation
		events = s.escalate(c.At)
	}
	events = append(events, VoteCast{By: c.By, OnBehalf: c.OnBehalf, Delegation: c.Delegation, Roles: c.Roles, Choice: c.Choice,
		Reason: c.Reason, Digest: c.Digest, At: c.At})
	switch {
	case c.Choice == Deny:
		events = append(events, Denied{At: c.At})
	case s.Approvals()+1 >= s.Request.Requirement.Count:
		events = append(events, Approved{At: c.At})
	}
	return events, nil
}

// mayVote checks what does not depend on where the approval stands: who votes
// and for whom, and that the vote is one.
func (s State) mayVote(c Vote) error {
	if err := s.mayTakePart(c.By, c.By); err != nil {
		return err
	}
	if c.OnBehalf != (domain.Actor{}) {
		if err := s.mayStandIn(c); err != nil {
			return err
		}
	}
	switch {
	case c.Choice != Approve && c.Choice != Deny:
		return domain.Refuse(domain.Invalid, "invalid_decision", "A decision is approve or deny.")
	case len(c.Reason) > maxReason:
		return domain.Refuse(domain.Invalid, "invalid_reason",
			"The reason has %d bytes. Use at most %d.", len(c.Reason), maxReason)
	}
	return nil
}

// mayStandIn checks whom a vote is for beside who gives it: nobody who may not
// decide may have somebody else decide.
func (s State) mayStandIn(c Vote) error {
	if err := s.mayTakePart(c.OnBehalf, c.By); err != nil {
		return err
	}
	if c.OnBehalf == c.By || c.Delegation == "" {
		return domain.Refuse(domain.Forbidden, "delegation_required",
			"That member has not delegated voting to you, or not for now, or may not decide any more. Vote for yourself, or ask for a delegation.")
	}
	return nil
}

// mayTakePart demands a human who has no hand in the request. The requester is
// shut out always. by is who is told.
func (s State) mayTakePart(who, by domain.Actor) error {
	told := "You"
	if who != by {
		told = "That member"
	}
	switch {
	case who == s.Request.Requester:
		return domain.Refuse(domain.Forbidden, "requester_may_not_decide",
			"Whoever asked for an action may not decide on it. Ask somebody else to.")
	case who.Kind != domain.KindMember:
		return domain.Refuse(domain.Forbidden, "human_required",
			"Only a member, a human, may decide on an approval.")
	case slices.Contains(s.Request.Excluded, who):
		return domain.Refuse(domain.Forbidden, "separation_of_duties",
			"%s had a hand in how this request came about, so somebody else must decide on it.", told)
	}
	return nil
}

// holdsRole checks the voter's roles of now against those accepted now, the
// escalation's too when its time has come.
func (s State) holdsRole(c Vote) error {
	if s.escalatedBy(c.At) {
		s = s.Evolve(Escalated{Roles: s.widening(), At: c.At})
	}
	if s.accepts(c.Roles) {
		return nil
	}
	return domain.Refuse(domain.Forbidden, "role_required",
		"This approval needs somebody with one of the roles it names.").With("roles", s.AcceptedRoles())
}

func (s State) accepts(roles []domain.RoleName) bool {
	accepted := s.AcceptedRoles()
	return len(accepted) == 0 || slices.ContainsFunc(roles, func(r domain.RoleName) bool { return slices.Contains(accepted, r) })
}

// partOf finds a vote in which somebody of c has a part already, as the one who
// voted or as the one whom the vote was for. One person has a part in at most
// one vote, so that a quorum of n is made of n people, each for one voice.
func (s State) partOf(c Vote) (VoteCast, bool) {
	i := slices.IndexFunc(s.Votes, func(v VoteCast) bool {
		return v.involves(c.By) || c.OnBehalf != (domain.Actor{}) && v.involves(c.OnBehalf)
	})
	if i < 0 {
		return VoteCast{}, false
	}
	return s.Votes[i], true
}

func (v VoteCast) involves(who domain.Actor) bool { return v.By == who || v.OnBehalf == who }

// again judges a vote of somebody who had a part in one: the same word of the
// same person for the same person on the same action changes nothing, another
// comes too late.
func (s State) again(voted VoteCast, c Vote) error {
	switch {
	case voted.By == c.By && voted.OnBehalf == c.OnBehalf && voted.Choice == c.Choice && voted.Digest == c.Digest:
		return nil
	case !s.Open():
		return s.decided()
	case voted.By == c.By && voted.OnBehalf == c.OnBehalf:
		return domain.Refuse(domain.Conflict, "already_voted",
			"You have voted on this approval. A vote can't be changed.")
	}
	return domain.Refuse(domain.Conflict, "already_voted",
		"You, or the member you vote for, had a part in a vote on this approval already. Each person has a part in one vote; somebody else must give the next.")
}

// decided says how an approval that is over has ended.
func (s State) decided() error {
	if s.Status == StatusExpired {
		return domain.Refuse(domain.Conflict, "approval_expired",
			"Nobody decided in time, so the approval expired. The action has to be asked for again.")
	}
	return domain.Refuse(domain.Conflict, "approval_decided",
		"The approval is %s already.", s.Status).With("status", string(s.Status))
}

func (s State) withdraw(c Withdraw) ([]Event, error) {
	switch {
	case c.By != s.Request.Requester && !c.Control:
		return nil, domain.Refuse(domain.Forbidden, "not_requester",
			"Only the requester, or somebody who may control executions, may withdraw an approval.")
	case s.Status == StatusWithdrawn:
		return nil, nil
	case !s.Open():
		return nil, s.decided()
	case s.Overdue(c.At):
		return []Event{Expired{At: c.At}}, nil
	}
	return []Event{Withdrawn{By: c.By, Reason: c.Reason, At: c.At}}, nil
}

func (s State) expire(at time.Time) []Event {
	if !s.Overdue(at) {
		return nil
	}
	return []Event{Expired{At: at}}
}

func (s State) escalate(at time.Time) []Event {
	if !s.EscalationDue(at) {
		return nil
	}
	return []Event{Escalated{Roles: s.widening(), At: at}}
}
