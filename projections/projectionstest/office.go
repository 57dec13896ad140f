package projectionstest

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// Offices are the workspaces of the mixed history.
const (
	offices    = 4
	agents     = 40 // of an office
	people     = 10
	between    = 20 * time.Second // from one execution of all offices to the next
	retryAfter = 5 * time.Second  // of webhooks
)

// Mixed appends what a few offices leave behind: people, agents and their
// tokens, policies, budgets and prices; executions with actions, prompts and
// answers, some of which fail, are cancelled or never end; one action in seven
// approved, denied or let expire by people, or covered by a standing grant;
// reservations that are settled, given back or expire; notifications, and
// attempts that were denied. Texts and parameters are as long as real ones.
func Mixed(tb testing.TB, f *ledgertest.Fixture, records int) int {
	tb.Helper()
	return fill(tb, f, records, (*office).live)
}

// Requests appends executions that never got beyond their request, each of one
// record: the worst there is for lists.
func Requests(tb testing.TB, f *ledgertest.Fixture, records int) int {
	tb.Helper()
	return fill(tb, f, records, (*office).request)
}

// fill appends executions, made by one, until there are enough records.
func fill(tb testing.TB, f *ledgertest.Fixture, records int, one func(o *office, n int64)) int {
	tb.Helper()
	var written atomic.Int64
	var all [offices]*office
	var stop []func()
	for i := range all {
		all[i] = &office{tb: tb, f: f, ws: domain.WorkspaceID(fmt.Sprintf("ws%d", i)), written: &written,
			start: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC), text: filler(uint64(i))}
		stop = append(stop, all[i].open())
		all[i].found()
	}
	var next atomic.Int64
	Spread(writers, func(int) {
		for written.Load() < int64(records) && !tb.Failed() {
			n := next.Add(1)
			one(all[n%offices], n)
		}
	})
	for _, f := range stop {
		f()
	}
	return int(written.Load())
}

// office is a workspace in the making.
type office struct {
	tb      testing.TB
	f       *ledgertest.Fixture
	ws      domain.WorkspaceID
	start   time.Time
	text    string
	written *atomic.Int64

	book, rest *writer
	ask        gate.Decision // of an action that people must agree to
	allow      gate.Decision
}

// open starts the writers of the streams that many executions share.
func (o *office) open() (stop func()) {
	o.book, o.rest = &writer{o: o, puts: make(chan put)}, &writer{o: o, puts: make(chan put)}
	var work sync.WaitGroup
	work.Go(o.book.run)
	work.Go(o.rest.run)
	return func() {
		close(o.book.puts)
		close(o.rest.puts)
		work.Wait()
	}
}

// id is like those that are derived from a command.
func (o *office) id(prefix string, what ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(o.ws, what)))
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}

func (o *office) agent(n int) domain.AgentID { return domain.AgentID(o.id("ag_", "agent", n%agents)) }

func (o *office) person(n int) domain.Actor {
	return domain.MemberActor(domain.MemberID(o.id("mb_", "person", n%people)))
}

func (o *office) hook(n int) domain.WebhookID { return domain.WebhookID(o.id("wh_", "hook", n)) }

func digestOf(text string) domain.Digest {
	sum := sha256.Sum256([]byte(text))
	return domain.Digest(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// draft is a record of the office; its id is drawn, as a command's attempts are.
func (o *office) draft(by domain.Actor, at time.Time, e domain.Event) ledger.Draft {
	data, err := json.Marshal(e)
	if err != nil {
		o.tb.Error(err)
	}
	d := ledger.Draft{Type: e.EventType(), Payload: ledger.WrapFact("pW0mR3o9yqk1uVxZ2sTfGA", data), Time: at, Actor: by,
		Cause: domain.CommandID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))}
	if by.Kind != domain.KindService {
		d.Credential = domain.CredentialID(o.id("tk_", by.ID))
	}
	return identified(d)
}

// content is a text by or about the holder of a key of its own.
func (o *office) content(by domain.Actor, at time.Time, kind, text string) ledger.Draft {
	return identified(ledger.Draft{Type: kind, Payload: []byte(text), Time: at, Actor: by, Subject: domain.SubjectTag(o.id("", "subject", by.ID)),
		Credential: domain.CredentialID(o.id("tk_", by.ID)), Cause: domain.CommandID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))})
}

func identified(d ledger.Draft) ledger.Draft {
	for i := range d.ID {
		d.ID[i] = byte(rand.Uint32())
	}
	return d
}

// append appends to a stream, not before its newest record's time.
func (o *office) append(stream string, tail ledger.Tail, list []ledger.Draft) ledger.Tail {
	for i := range list {
		if list[i].Time.Before(tail.Time) {
			list[i].Time = tail.Time
		}
	}
	receipt, err := o.f.Append(context.Background(), stream, tail, list)
	if err != nil {
		o.tb.Errorf("appending to %s: %v", stream, err)
		return tail
	}
	o.written.Add(int64(len(list)))
	return receipt.Tail
}

// writer is the one writer of some streams.
type writer struct {
	o     *office
	puts  chan put
	tails map[string]ledger.Tail
}

type put struct {
	stream string
	list   []ledger.Draft
	done   chan struct{}
}

// put answers when the records are durable.
func (w *writer) put(stream string, list ...ledger.Draft) {
	done := make(chan struct{})
	w.puts <- put{stream, list, done}
	<-done
}

// run appends what is at hand, all records of a stream at once.
func (w *writer) run() {
	w.tails = map[string]ledger.Tail{}
	for first := range w.puts {
		streams, waiting := map[string][]ledger.Draft{first.stream: first.list}, []put{first}
	gather:
		for len(waiting) < 64 {
			select {
			case next, ok := <-w.puts:
				if !ok {
					break gather
				}
				streams[next.stream] = append(streams[next.stream], next.list...)
				waiting = append(waiting, next)
			default:
				break gather
			}
		}
		for stream, list := range streams {
			tail, ok := w.tails[stream]
			if !ok {
				tail = ledger.NoTail()
			}
			w.tails[stream] = w.o.append(stream, tail, list)
		}
		for _, p := range waiting {
			close(p.done)
		}
	}
}

// facts appends to a stream that many executions share.
func (o *office) facts(w *writer, stream string, by domain.Actor, at time.Time, events ...domain.Event) []ledger.Draft {
	list := make([]ledger.Draft, len(events))
	for i, e := range events {
		list[i] = o.draft(by, at, e)
	}
	w.put(stream, list...)
	return list
}

// found begins the workspace.
func (o *office) found() {
	at, owner := o.start, o.person(0)
	until := at.AddDate(2, 0, 0)
	events := []domain.Event{workspace.Created{Workspace: o.ws, Name: "Office " + string(o.ws), Currency: "EUR", At: at}}
	for i := range people {
		who := o.person(i)
		roles := []domain.RoleName{domain.RoleOperationsSupervisor, domain.RoleMember}
		if i == 0 {
			roles = []domain.RoleName{domain.RoleOwner}
		}
		events = append(events, workspace.MemberInvited{Member: domain.MemberID(who.ID), Subject: domain.SubjectTag(o.id("", "subject", who.ID)),
			Profile: digestOf(who.ID), Roles: roles, InvitationHash: digestOf("invitation" + who.ID), ExpiresAt: at.Add(72 * time.Hour), By: owner, At: at},
			workspace.MemberJoined{Member: domain.MemberID(who.ID), At: at}, o.token(who, "", at, &until))
	}
	for i := range agents {
		id := o.agent(i)
		events = append(events, workspace.AgentRegistered{Agent: id, Name: fmt.Sprintf("agent %d", i), Roles: []domain.RoleName{domain.RoleAgent},
			Workflows: []domain.Workflow{"*"}, By: owner, At: at}, o.token(domain.AgentActor(id), "", at, &until))
	}
	o.facts(o.rest, ledger.WorkspaceStream(o.ws), owner, at, events...)
	o.write(1, at)
	o.facts(o.book, ledger.BudgetStream(o.ws), owner, at, budgets(owner, at)...)
	for i, types := range [][]webhook.Type{nil, {webhook.ApprovalRequested, webhook.ApprovalEscalated}} {
		o.facts(o.rest, ledger.WebhookStream(o.ws, o.hook(i)), owner, at, webhook.Registered{Webhook: o.hook(i), URL: "https://chat.example/hooks/ledger",
			Types: types, Description: "the supervisors' channel", Secret: 1, By: owner, At: at})
	}
}

func (o *office) token(who domain.Actor, name string, at time.Time, until *time.Time) workspace.TokenIssued {
	return workspace.TokenIssued{Token: domain.CredentialID(o.id("tk_", who.ID+name)), Actor: who, Name: "first" + name,
		Hash: digestOf("token" + string(o.ws) + who.ID + name), ExpiresAt: until, By: o.person(0), At: at}
}

// write writes a version of the policies.
func (o *office) write(version int, at time.Time) {
	four := gate.Approval{Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Count: 2, ExpiresIn: "4h", SeparationOfDuties: true, Risk: "high",
		Escalate: &gate.Escalation{After: "1h", Roles: []domain.RoleName{domain.RoleOwner}}}
	payments := policy.Policy{Workflow: "invoices", Mode: policy.Enforce, Default: gate.Allow, Rules: []policy.Rule{
		{ID: "small", Actions: []domain.ActionKind{"payment.initiate"}, When: "action.params.amount_cents < 20000.0", Effect: gate.Allow, Reason: "Small invoices are paid without asking."},
		{ID: "large", Actions: []domain.ActionKind{"payment.initiate"}, When: "action.params.amount_cents >= 20000.0", Effect: gate.RequireApproval,
			Approval: &four, Reason: "Payments from 200 EUR need two supervisors."}}}
	exports := policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Allow, Rules: []policy.Rule{
		{ID: "exports", Actions: []domain.ActionKind{"data.export"}, Effect: gate.Deny, Reason: "Customer data does not leave the company."}}}
	author := o.person(1)
	o.facts(o.rest, ledger.PolicyStream(o.ws), author, at,
		policy.Written{ID: "payments", Version: version, Digest: digestOf(fmt.Sprint("payments", version)), Policy: payments, By: author, At: at},
		policy.Written{ID: "no-exports", Version: version, Digest: digestOf(fmt.Sprint("exports", version)), Policy: exports, By: author, At: at})
	if version > 1 {
		return // the executions go on to name the first, which nothing here minds
	}
	of := []gate.PolicyRef{{Policy: "no-exports", Version: 1}, {Policy: "payments", Version: 1}}
	o.allow = gate.Decision{Effect: gate.Allow, Policy: "payments", Version: 1, Digest: digestOf("payments1"), Rule: "small",
		Reason: "Small invoices are paid without asking.", Author: author, Of: of}
	o.ask = gate.Decision{Effect: gate.RequireApproval, Policy: "payments", Version: 1, Digest: digestOf("payments1"), Rule: "large",
		Reason: "Payments from 200 EUR need two supervisors.", Approval: &four, Author: author, Of: of}
}

// budgets are three that every call counts in, and the prices.
func budgets(by domain.Actor, at time.Time) (events []domain.Event) {
	most, calls := domain.Micros(900_000_000_000), int64(1_000_000_000)
	for id, window := range map[domain.BudgetID]budget.Window{"daily": budget.Day, "hourly": budget.Hour, "ever": budget.Total} {
		events = append(events, budget.Defined{Budget: id, Version: 1, By: by, At: at, Spec: budget.Spec{Scope: budget.Scope{Workspace: true}, Window: window,
			Timezone: "Etc/UTC", Limits: budget.Limits{CostMicros: &most, Calls: &calls}, Mode: budget.Enforce, AlertAt: []int{80, 100}}})
	}
	return append(events, budget.PricesSet{Version: 1, By: by, At: at, Prices: map[domain.Model]budget.Price{
		"gpt-large": {PromptPerMillion: 2_500_000, OutputPerMillion: 10_000_000}, "small-fast": {PromptPerMillion: 150_000, OutputPerMillion: 600_000}}})
}

// filler is text as people and models write it, as far as its length and its
// letters go.
func filler(seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 11))
	words := strings.Fields("the invoice matches order and delivery in all positions a customer asks where parcel is please check whether amount " +
		"can be paid before friday supplier sent reminder contract says thirty days net total differs by small rounding of tax we should answer politely")
	var b strings.Builder
	for b.Len() < 32<<10 {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()
}
