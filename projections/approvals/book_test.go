package approvals_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/approvals"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	bot   = domain.AgentActor("ag_bot")
	alice = domain.MemberActor("mb_alice")
	bob   = domain.MemberActor("mb_bob")
	carol = domain.MemberActor("mb_carol")
)

// book appends domain events to streams.
type book struct {
	testing.TB
	*ledgertest.Fixture
	tails map[string]ledger.Tail
	n     int
}

func newBook(tb testing.TB) *book {
	return &book{TB: tb, Fixture: ledgertest.New(tb), tails: map[string]ledger.Tail{}}
}

func draftOf(tb testing.TB, id string, e domain.Event) ledger.Draft {
	tb.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		tb.Error(err)
	}
	d := ledgertest.Draft(id, e.EventType(), "")
	d.Payload = ledger.WrapFact("", data)
	return d
}

// put appends events to an approval.
func (b *book) put(ws domain.WorkspaceID, id domain.ApprovalID, events ...approval.Event) eventlog.Position {
	b.Helper()
	var list []ledger.Draft
	for _, e := range events {
		b.n++
		list = append(list, draftOf(b.TB, fmt.Sprint(b.n), e))
	}
	return b.append(ledger.ApprovalStream(ws, id), list)
}

func (b *book) append(stream string, list []ledger.Draft) eventlog.Position {
	b.Helper()
	tail, ok := b.tails[stream]
	if !ok {
		tail = ledger.NoTail()
	}
	receipt, err := b.Append(context.Background(), stream, tail, list)
	if err != nil {
		b.Fatal(err)
	}
	b.tails[stream] = receipt.Tail
	return receipt.Position
}

// request asks operations supervisors, from noon for an hour.
func request(id domain.ApprovalID, change ...func(*approval.Requested)) approval.Requested {
	r := approval.Requested{Approval: id, Execution: "ex_1", Action: "ac_1", Workflow: "invoices", Kind: "payment.initiate",
		Params: json.RawMessage(`{"iban":"canary-params"}`), Digest: "digest", Reason: "canary-reason",
		Requirement: gate.Approval{Roles: []domain.RoleName{"supervisor"}, Count: 1, Risk: "high"},
		Requester:   bot, ExpiresAt: noon.Add(time.Hour), At: noon}
	for _, c := range change {
		c(&r)
	}
	return r
}

// running is a model of a log, and what runs it.
type running struct {
	*approvals.Model
	all  *projections.Models
	stop func()
}

// run starts a model in a folder.
func run(tb testing.TB, source projections.Source, dir string) *running {
	tb.Helper()
	model := approvals.New()
	m, err := projections.New(source, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, model)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	stopped := false
	r := &running{Model: model, all: m, stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ran, m.Close()); err != nil {
			tb.Error(err)
		}
	}}
	tb.Cleanup(r.stop)
	return r
}

// built is a model that has seen the whole log.
func built(tb testing.TB, l *ledger.Ledger, dir string) *running {
	tb.Helper()
	r := run(tb, l, dir)
	r.wait(tb, must(l.ReadHead(context.Background()))(tb))
	return r
}

func (r *running) wait(tb interface {
	Helper()
	Fatalf(string, ...any)
}, position eventlog.Position) {
	tb.Helper()
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	if err := r.all.WaitFor(ctx, approvals.Name, position); err != nil {
		tb.Fatalf("%v\n%+v", err, r.all.Health())
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func ids(items []approvals.Approval) []domain.ApprovalID {
	list := []domain.ApprovalID{}
	for _, a := range items {
		list = append(list, a.ID)
	}
	return list
}

// pages reads a list to its end in pages.
func pages(tb testing.TB, page func(cursor string) (approvals.Page, error)) (all []approvals.Approval) {
	tb.Helper()
	for cursor := ""; ; {
		p := must(page(cursor))(tb)
		all = append(all, p.Items...)
		if cursor = p.Next(); cursor == "" {
			return all
		}
	}
}
