package projectionstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/internal/ledger"
)

// life is one execution.
type life struct {
	*office
	n      int64
	random *rand.Rand
	at     time.Time
	agent  domain.Actor
	id     domain.ExecutionID
	stream string
	tail   ledger.Tail
}

func (o *office) life(n int64) *life {
	l := &life{office: o, n: n, random: rand.New(rand.NewPCG(uint64(n), 5)), at: o.start.Add(time.Duration(n) * between),
		id: domain.ExecutionID(o.id("ex_", n)), tail: ledger.NoTail()}
	l.agent = domain.AgentActor(o.agent(l.turn()))
	l.stream = ledger.ExecutionStream(o.ws, l.id)
	return l
}

// request writes an execution that asks for an action that needs nobody, and
// nothing more.
func (o *office) request(n int64) {
	l := o.life(n)
	l.requested(0, execution.ActionRequested{Action: l.wanted(0), Decision: l.allow, At: l.at,
		Permit: &execution.Permit{ID: domain.PermitID(l.name("pm_", 0)), ExpiresAt: l.at.Add(10 * time.Minute)}})
}

// live writes an execution from its request to its end, and now and then what
// else happens in an office.
func (o *office) live(n int64) {
	l := o.life(n)
	o.routine(l)
	if !l.action(0) {
		if l.random.IntN(2) == 0 {
			l.write(l.fact(execution.Cancelled{Reason: "not needed any more", By: l.agent, At: l.at}))
		}
		return
	}
	for i := range 1 + l.random.IntN(2) {
		l.prompt(i)
	}
	if l.random.IntN(5) == 0 {
		l.action(1)
	}
	l.end()
}

// chance is true so many times in a hundred.
func (l *life) chance(percent int) bool { return l.random.IntN(100) < percent }

func (l *life) wait(most time.Duration) { l.at = l.at.Add(time.Duration(l.random.Int64N(int64(most)))) }

// name is the id of a thing of this execution.
func (l *life) name(prefix string, what ...any) string {
	return l.office.id(prefix, append(what, l.n)...)
}

func (l *life) write(list ...ledger.Draft) { l.tail = l.append(l.stream, l.tail, list) }

func (l *life) fact(e domain.Event) ledger.Draft { return l.draft(l.agent, l.at, e) }

// say is some text of about so many bytes.
func (l *life) say(bytes int) string {
	size := bytes/2 + l.random.IntN(bytes)
	from := l.random.IntN(len(l.text) - size)
	return fmt.Sprintf(`{"salt":%q,"text":%q}`, l.name("", "salt", from), l.text[from:from+size])
}

func (l *life) content(text string) execution.Content {
	return execution.Content{Digest: digestOf(text), Size: len(text)}
}

// action asks for the nth action and starts it, if it may.
func (l *life) action(n int) bool {
	a := l.wanted(n)
	permit := &execution.Permit{ID: domain.PermitID(l.name("pm_", n)), ExpiresAt: l.at.Add(10 * time.Minute)}
	decision, waits := l.allow, domain.ApprovalID("")
	switch {
	case l.chance(2): // denied by a rule
		decision.Effect, decision.Rule, decision.Policy, permit = gate.Deny, "exports", "no-exports", nil
	case l.chance(15):
		decision, waits, permit = l.ask, domain.ApprovalID(l.name("ap_", n)), nil
	}
	l.requested(n, execution.ActionRequested{Action: a, Decision: decision, Permit: permit, Approval: waits, At: l.at})
	if waits != "" {
		permit = l.asked(a, waits)
	}
	if permit == nil {
		return false
	}
	l.wait(time.Second)
	l.write(l.fact(execution.ActionStarted{Action: a.ID, Permit: permit.ID, Decision: decision, Roles: []domain.RoleName{domain.RoleAgent}, At: l.at}))
	return true
}

// wanted is the nth action.
func (l *life) wanted(n int) execution.Action {
	a := execution.Action{ID: domain.ActionID(l.name("ac_", n)), Kind: "payment.initiate", Params: l.params()}
	a.Digest = digestOf(string(a.Params))
	return a
}

// requested writes the request of the nth action; the first one opens the
// stream.
func (l *life) requested(n int, e execution.ActionRequested) {
	e.Roles, e.Context = []domain.RoleName{domain.RoleAgent}, json.RawMessage(`{"ticket":"T-20417","language":"de"}`)
	if n > 0 {
		l.write(l.fact(e))
		return
	}
	l.write(l.fact(execution.Requested{Execution: l.id, Workflow: "invoices", Context: e.Context, Action: e.Action, Decision: e.Decision,
		Permit: e.Permit, Approval: e.Approval, By: l.agent, Roles: e.Roles, At: e.At}))
}

func (l *life) params() json.RawMessage {
	return fmt.Appendf(nil, `{"invoice":"INV-2026-%06d","amount_cents":%d,"currency":"EUR","iban":"DE02120300000000202051","creditor":"Example Supplies GmbH",`+
		`"purpose":"%s","due":"2026-04-30"}`, l.n, 5000+l.random.IntN(90_000), l.text[l.n%1000:l.n%1000+90])
}

// asked is an action that waits: a standing grant covers it, or people decide.
// It answers the permit that follows, or nil.
func (l *life) asked(a execution.Action, id domain.ApprovalID) *execution.Permit {
	permit := &execution.Permit{ID: domain.PermitID(l.name("pm_", "late", a.ID)), ExpiresAt: l.at.Add(5 * time.Hour)}
	if l.chance(12) {
		given := l.given()
		l.facts(l.rest, ledger.GrantStream(l.ws), l.agent, l.at, grant.Used{Grant: given, Execution: l.id, Action: a.ID, Kind: a.Kind,
			Digest: a.Digest, Approval: id, Requester: l.agent, Use: 1 + l.turn()%grantEvery, At: l.at})
		l.write(l.draft(domain.Service("process"), l.at, execution.ActionAuthorized{Action: a.ID, Approval: id, Grant: given, Permit: *permit, At: l.at}))
		return permit
	}
	switch outcome := l.decided(a, id).(type) {
	case approval.Approved:
		l.write(l.draft(domain.Service("process"), l.at, execution.ActionAuthorized{Action: a.ID, Approval: id, Permit: *permit, At: l.at}))
		return permit
	case approval.Denied:
		l.write(l.draft(domain.Service("process"), l.at, execution.ActionDenied{Action: a.ID, Approval: id, Reason: "denied", At: l.at}))
	case approval.Expired:
		l.write(l.draft(domain.Service("process"), l.at, execution.ActionDenied{Action: a.ID, Approval: id, Reason: "expired", At: l.at}))
	case approval.Withdrawn:
		l.write(l.draft(domain.Service("process"), l.at, execution.ActionDenied{Action: a.ID, Approval: id, Reason: "withdrawn", At: l.at}))
	case nil: // nobody has decided yet
	default:
		l.tb.Errorf("%T is no outcome", outcome)
	}
	return nil
}

// decided is an approval's stream; nil while it waits.
func (l *life) decided(a execution.Action, id domain.ApprovalID) approval.Event {
	stream, tail := ledger.ApprovalStream(l.ws, id), ledger.NoTail()
	write := func(by domain.Actor, events ...approval.Event) {
		list := make([]ledger.Draft, len(events))
		for i, e := range events {
			list[i] = l.draft(by, l.at, e)
		}
		tail = l.append(stream, tail, list)
		for i, e := range events {
			l.notify(string(id), list[i], e)
		}
	}
	d := l.ask
	write(l.agent, approval.Requested{Approval: id, Execution: l.id, Action: a.ID, Workflow: "invoices", Kind: a.Kind, Params: a.Params, Digest: a.Digest,
		Policy: d.Policy, Version: d.Version, Rule: d.Rule, Reason: d.Reason, Requirement: *d.Approval, Requester: l.agent,
		Excluded: []domain.Actor{l.person(0)}, ExpiresAt: l.at.Add(4 * time.Hour), At: l.at})
	vote := func(n int, choice approval.Choice) approval.VoteCast {
		l.wait(20 * time.Minute)
		return approval.VoteCast{By: l.person(n), Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Choice: choice, Reason: "I checked it against the order.", Digest: a.Digest, At: l.at}
	}
	one, two := 1+l.random.IntN(4), 5+l.random.IntN(5)
	switch n := l.random.IntN(100); {
	case n < 80:
		write(l.person(one), vote(one, approval.Approve))
		last := vote(two, approval.Approve)
		write(l.person(two), last, approval.Approved{At: l.at})
		return approval.Approved{}
	case n < 90:
		no := vote(one, approval.Deny)
		write(l.person(one), no, approval.Denied{At: l.at})
		return approval.Denied{}
	case n < 95:
		l.at = l.at.Add(time.Hour)
		write(domain.Service("timers"), approval.Escalated{Roles: []domain.RoleName{domain.RoleOwner}, At: l.at})
		l.at = l.at.Add(3 * time.Hour)
		write(domain.Service("timers"), approval.Expired{At: l.at})
		return approval.Expired{}
	case n < 98:
		l.wait(time.Minute)
		write(l.agent, approval.Withdrawn{By: l.agent, Reason: "the order was changed", At: l.at})
		return approval.Withdrawn{}
	}
	return nil
}

// end ends the execution, or not.
func (l *life) end() {
	l.wait(time.Minute)
	switch n := l.random.IntN(100); {
	case n < 30:
		text := l.say(900)
		c := l.content(text)
		l.write(l.fact(execution.Completed{Result: &c, At: l.at}), l.office.content(l.agent, l.at, "content.result.v1", text))
	case n < 94:
		l.write(l.fact(execution.Completed{Reason: "paid", At: l.at}))
	case n < 97:
		l.write(l.fact(execution.Failed{Reason: "the bank's gateway did not answer", At: l.at}))
	case n < 98:
		l.write(l.fact(execution.Cancelled{Reason: "no longer needed", By: l.person(0), At: l.at}))
	case n < 99:
		l.write(l.draft(l.person(1), l.at, execution.Resolved{Outcome: execution.OutcomeUnknown, Reason: "The agent was stopped.", By: l.person(1), At: l.at}))
	}
}
