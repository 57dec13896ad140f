package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// replicas are Services over one log, as many processes would have them.
func (w *world) replicas(n int) (services []*Service) {
	for len(services) < n {
		var s *Service
		s = New(Config{Log: ledgertest.On(w.t, w.f.Log, w.f.Keys).Ledger, Secret: w.f.Keys.Secret(), Permits: signing{w.f.Keys},
			Access: direct{&s}, Shared: true, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		w.t.Cleanup(func() { _ = s.Close(context.Background()) })
		services = append(services, s)
	}
	return services
}

// However many actions want a grant at once, on however many replicas, it
// covers as many as it may, and each of the others waits for a human.
func TestGrantUnderRaces(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n, " replicas"), func(t *testing.T) {
			w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
			w.mails()
			w.give(w.supervisor, "give")
			services := []*Service{w.s}
			if n > 1 {
				services = w.replicas(n)
			}
			var covered, awaiting atomic.Int64
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					s := services[i%len(services)]
					ask := func() (Requested, error) {
						return s.RequestExecution(ctx, w.call(w.agent, fmt.Sprint("ask ", i)), RequestExecution{Workflow: "invoices",
							Action: Action{Kind: "communication.send", Params: json.RawMessage(`{"amount":12}`)}})
					}
					out, err := ask()
					for try := 0; errors.Is(err, ErrBusy) && try < 20; try++ { // replicas in each other's way
						out, err = ask()
					}
					switch {
					case err != nil:
						t.Error(err)
					case out.Status == execution.StatusAuthorized && out.Permit != "":
						covered.Add(1)
					case out.Status == execution.StatusAwaiting:
						awaiting.Add(1)
					}
				})
			}
			wg.Wait()
			if covered.Load() != 20 || awaiting.Load() != 180 || len(w.usesInLog()) != 20 {
				t.Errorf("%d were covered, %d wait, %d uses are recorded; want 20, 180, 20", covered.Load(), awaiting.Load(), len(w.usesInLog()))
			}
			seen := map[domain.ActionID]bool{}
			for i, u := range w.usesInLog() {
				if seen[u.Action] || u.Use != i+1 {
					t.Errorf("use %d is %+v", i+1, u)
				}
				seen[u.Action] = true
			}
		})
	}
}

// wanted is an approval that would be opened, and what was decided on.
func (w *world) wanted(n int) (approval.Requested, policy.Input) {
	params := json.RawMessage(`{"amount":12}`)
	r := approval.Requested{Approval: domain.ApprovalID(fmt.Sprint("ap_", n)), Execution: domain.ExecutionID(fmt.Sprint("ex_", n)),
		Action: domain.ActionID(fmt.Sprint("ac_", n)), Workflow: "invoices", Kind: "communication.send", Params: params, Digest: "digest",
		Requirement: gate.Approval{Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Count: 1, Risk: "low"}, Requester: w.agent}
	return r, policy.Input{Workflow: r.Workflow, Kind: r.Kind, Params: params, Actor: r.Requester, Now: w.s.now()}
}

// The call that asks and the process that asks again after a crash are one,
// whatever became of the grant meanwhile and however late.
func TestGrantIsUsedOnce(t *testing.T) {
	ctx := context.Background()
	for name, between := range map[string]func(w *world, g grant.Grant){
		"at once":         func(*world, grant.Grant) {},
		"after a restart": func(w *world, _ grant.Grant) { w.restart() },
		"when it is used up": func(w *world, _ grant.Grant) {
			r, in := w.wanted(2)
			_, ok, _, err := w.s.useGrant(ctx, w.call(w.agent, "other"), r, in)
			w.must(err)
			if !ok {
				w.t.Error("the second use was not covered")
			}
		},
		"when it is revoked": func(w *world, g grant.Grant) {
			_, err := w.s.RevokeGrant(ctx, w.call(w.owner, "revoke"), g.ID, "")
			w.must(err)
		},
		"when its giver is gone": func(w *world, _ grant.Grant) {
			_, err := w.s.RemoveMember(ctx, w.call(w.owner, "remove"), domain.MemberID(w.supervisor.ID))
			w.must(err)
		},
		"in a suspended workspace": func(w *world, _ grant.Grant) {
			_, err := w.s.Suspend(ctx, w.call(domain.Operator(), "suspend"), "")
			w.must(err)
		},
		"hours later, when its command is forgotten": func(w *world, _ grant.Grant) {
			w.wait(2 * time.Hour)
			w.give(w.supervisor, "give another") // at which the stream forgets
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ledgertest.Engine(t))
			g := w.give(w.supervisor, "give", func(t *grant.Terms) { t.MaxUses = 2 })
			r, in := w.wanted(1)
			first, ok, receipt, err := w.s.useGrant(ctx, w.call(w.agent, "ask"), r, in)
			if err != nil || !ok || first.Grant != g.ID || receipt.Position == 0 {
				t.Fatalf("covered by %+v, %v, %v", first, ok, err)
			}
			between(w, g)
			n := len(w.usesInLog())
			again, ok, later, err := w.s.useGrant(ctx, Call{Workspace: "acme", Actor: domain.Service("process")}, r, in)
			if err != nil || !ok {
				t.Fatalf("asked again: %v, %v", ok, err)
			}
			if diff := cmp.Diff(first, again); diff != "" || later.Position < receipt.Position {
				t.Errorf("asked again (-first +again), at %d, first at %d:\n%s", later.Position, receipt.Position, diff)
			}
			if now := len(w.usesInLog()); now != n {
				t.Errorf("asking again wrote %d uses", now-n)
			}
		})
	}
}

// The service dies between the use of a grant and what the execution records of
// it. The process brings it, and nobody is asked beside.
func TestGrantIsBroughtAfterACrash(t *testing.T) {
	appends := 0
	log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
		if strings.HasPrefix(stream, "acme/execution-") {
			if appends++; appends == 2 { // the first is the request
				return eventlogtest.Before
			}
		}
		return eventlogtest.None
	})
	w, ctx := newWorld(t, log), context.Background()
	w.mails()
	w.give(w.supervisor, "give")
	out, err := w.s.RequestExecution(ctx, w.call(w.agent, "ask"), RequestExecution{Workflow: "invoices",
		Action: Action{Kind: "communication.send", Params: json.RawMessage(`{"amount":12}`)}})
	if err == nil || len(w.usesInLog()) != 1 {
		t.Fatalf("the request answered %v with %d uses", err, len(w.usesInLog()))
	}
	w.restart()
	w.wait(time.Minute)
	w.drain()
	state, err := w.s.Execution(ctx, "acme", out.Execution)
	w.must(err)
	act, _ := state.Action(out.Action)
	if act.Status != execution.StatusAuthorized || act.Grant != w.usesInLog()[0].Grant || len(w.usesInLog()) != 1 {
		t.Errorf("the action is %s by %q, with %d uses", act.Status, act.Grant, len(w.usesInLog()))
	}
	if _, err := w.s.Approval(ctx, "acme", out.Approval); code(err) != "not_found" {
		t.Errorf("an approval was opened beside: %v", err)
	}
	if permit := w.s.Permit("acme", state, "", w.agent); permit == "" {
		t.Error("the requester gets no permit")
	}
}

// The book forgets the older uses of a grant that is over; for an hour the
// stream still knows the command, which is the same whoever asks.
func TestGrantForgottenByTheBook(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	w.give(w.supervisor, "give", func(t *grant.Terms) { t.MaxUses = 110 })
	w.give(w.supervisor, "give another")
	var wg sync.WaitGroup
	use := func(n int, actor domain.Actor) (grant.Used, bool) {
		r, in := w.wanted(n)
		used, ok, _, err := w.s.useGrant(ctx, Call{Workspace: "acme", Actor: actor}, r, in)
		if err != nil {
			t.Error(err)
		}
		return used, ok
	}
	first, _ := use(1, w.agent)
	for n := range 109 {
		wg.Go(func() { use(n+2, w.agent) })
	}
	wg.Wait()
	book, err := w.s.Grants(ctx, "acme")
	w.must(err)
	if _, _, known := book.Covered(first.Execution, first.Action); known {
		t.Fatal("the book still knows the oldest use; the test tests nothing")
	}
	again, ok := use(1, domain.Service("process"))
	if diff := cmp.Diff(first, again); !ok || diff != "" || len(w.usesInLog()) != 110 {
		t.Errorf("asked again: %v, with %d uses (-first +again):\n%s", ok, len(w.usesInLog()), diff)
	}
}

func BenchmarkUseGrant(b *testing.B) {
	ctx := context.Background()
	f := ledgertest.New(b)
	s := New(Config{Log: f.Ledger, Secret: f.Keys.Secret(), Permits: signing{f.Keys}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { _ = s.Close(ctx) })
	r := approval.Requested{Execution: "ex_1", Action: "ac_1", Requirement: gate.Approval{Count: 1, Risk: "low"}}
	for name, risk := range map[string]string{"of another risk": "high", "without grants": "low"} {
		b.Run(name, func(b *testing.B) {
			r.Requirement.Risk = risk
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, _, err := s.useGrant(ctx, Call{Workspace: "acme"}, r, policy.Input{}); ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
