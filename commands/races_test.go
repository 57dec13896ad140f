package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// crowd is a world with five supervisors in which payments need two of them,
// served by some processes that share one log.
type crowd struct {
	*world
	services []*Service
	voters   []domain.Actor
}

// onOneAndOnThree runs a test with one process, and with three that share a log.
func onOneAndOnThree(t *testing.T, test func(t *testing.T, c *crowd)) {
	for name, processes := range map[string]int{"one process": 1, "three processes": 3} {
		t.Run(name, func(t *testing.T) { test(t, newCrowd(t, processes)) })
	}
}

func newCrowd(t *testing.T, processes int) *crowd {
	t.Helper()
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	c := &crowd{world: w}
	for range processes {
		c.services = append(c.services, w.process(processes > 1))
	}
	for i := range 5 {
		invited, err := w.s.InviteMember(ctx, w.call(w.owner, fmt.Sprint("voter", i)), fmt.Sprintf("v%d@acme.test", i), "V", []domain.RoleName{domain.RoleOperationsSupervisor})
		w.must(err)
		joined, err := w.s.AcceptInvitation(ctx, invited.Token.Token, "", nil)
		w.must(err)
		c.voters = append(c.voters, domain.MemberActor(joined.Member))
	}
	rule := policy.Rule{ID: "two", Actions: []domain.ActionKind{"payment.initiate"}, Effect: gate.RequireApproval, Reason: "money",
		Approval: &gate.Approval{Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Count: 2}}
	_, _, err := w.s.WritePolicy(ctx, w.call(w.owner, "policy"), "payments", policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Allow,
		Rules: []policy.Rule{rule}}, nil)
	w.must(err)
	return c
}

// process is one more Service over the world's log, as another process would
// have it.
func (w *world) process(shared bool) *Service {
	var s *Service
	s = New(Config{Log: ledgertest.On(w.t, w.f.Log, w.f.Keys).Ledger, Secret: w.f.Keys.Secret(), Permits: signing{w.f.Keys},
		Access: direct{&s}, Shared: shared, Now: w.s.now, Logger: slog.New(slog.DiscardHandler)})
	w.t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// race runs n calls at once, spread over the processes, and counts how they
// ended: "" is success.
func (c *crowd) race(n int, do func(s *Service, i int) error) map[string]int {
	var mu sync.Mutex
	var all sync.WaitGroup
	begin, ended := make(chan struct{}), map[string]int{}
	for i := range n {
		all.Go(func() {
			<-begin
			err := do(c.services[i%len(c.services)], i)
			outcome := code(err)
			if outcome == "" && err != nil {
				outcome = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			ended[outcome]++
		})
	}
	close(begin)
	all.Wait()
	return ended
}

// types lists the types of a stream's records, as the log has them.
func (w *world) types(stream string) (types []string) {
	w.t.Helper()
	for r, err := range ledgertest.On(w.t, w.f.Log, w.f.Keys).ReadStream(context.Background(), stream, ledger.NoTail()) {
		w.must(err)
		types = append(types, r.Type)
	}
	return types
}

// among counts the records of some types.
func among(types []string, wanted ...string) (n int) {
	for _, t := range types {
		if slices.Contains(wanted, t) {
			n++
		}
	}
	return n
}

var payment = Action{Kind: "payment.initiate", Params: json.RawMessage(`{"amount":12}`)}

// Two hundred starts with one permit: one action.
func TestOnePermitStartsOnce(t *testing.T) {
	onOneAndOnThree(t, func(t *testing.T, c *crowd) {
		out := c.request("ask", "llm.call")
		act := Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)}
		ended := c.race(200, func(s *Service, i int) error {
			_, _, err := s.Start(context.Background(), c.call(c.agent, fmt.Sprint("start", i)), out.Execution, "", out.Permit, act)
			return err
		})
		if ended[""] != 1 || ended["permit_used"] != 199 {
			t.Errorf("the starts ended as %v, want one success and 199 permit_used", ended)
		}
		if n := among(c.types(ledger.ExecutionStream("acme", out.Execution)), "execution.action_started.v1"); n != 1 {
			t.Errorf("%d starts are recorded", n)
		}
	})
}

var (
	approvalEnds = []string{"approval.approved.v1", "approval.denied.v1", "approval.expired.v1", "approval.withdrawn.v1"}
	broughtEnds  = []string{"execution.action_authorized.v1", "execution.action_denied.v1"}
)

// A hundred votes of five people, and now and then a denial or a withdrawal:
// the approval ends once, and the execution as the approval did.
func TestRacingVotesHaveOneOutcome(t *testing.T) {
	mixes := []struct {
		name              string
		denials, withdraw int // of a hundred
	}{{"approvals", 0, 0}, {"a denial among them", 5, 0}, {"a withdrawal among them", 0, 5}, {"of everything", 20, 20}}
	onOneAndOnThree(t, func(t *testing.T, c *crowd) {
		for _, mix := range mixes {
			t.Run(mix.name, func(t *testing.T) {
				out := c.request("ask "+mix.name, "payment.initiate")
				order := rand.Perm(100)
				ended := c.race(100, func(s *Service, i int) error {
					call, choice := func(who domain.Actor) Call { return c.call(who, fmt.Sprint(mix.name, i)) }, approval.Approve
					switch turn := order[i]; {
					case turn < mix.denials:
						choice = approval.Deny
					case turn < mix.denials+mix.withdraw:
						_, _, err := s.WithdrawApproval(context.Background(), call(c.agent), out.Approval, "no need", false)
						return err
					}
					_, _, err := s.Decide(context.Background(), call(c.voters[i%len(c.voters)]), out.Approval, choice, "seen", out.Digest, "")
					return err
				})
				for outcome := range ended {
					if !slices.Contains([]string{"", "already_voted", "approval_decided"}, outcome) {
						t.Errorf("%d calls ended with %s", ended[outcome], outcome)
					}
				}
				c.endedOnce(t, out)
			})
		}
	})
}

// endedOnce holds an approval that is over, and its execution, to one outcome.
func (c *crowd) endedOnce(t *testing.T, out Requested) {
	t.Helper()
	ctx := context.Background()
	votes, brought := c.types(ledger.ApprovalStream("acme", out.Approval)), c.types(ledger.ExecutionStream("acme", out.Execution))
	if among(votes, approvalEnds...) != 1 || among(brought, broughtEnds...) != 1 {
		t.Fatalf("the approval's stream is %v, the execution's %v; want one outcome in each", votes, brought)
	}
	for i, s := range c.services {
		state, err := s.Approval(ctx, "acme", out.Approval)
		c.must(err)
		ex, err := s.Execution(ctx, "acme", out.Execution)
		c.must(err)
		want := execution.StatusDenied
		if state.Status == approval.StatusApproved {
			if want = execution.StatusAuthorized; state.Approvals() != 2 {
				t.Errorf("approved by %d people, want 2", state.Approvals())
			}
		}
		if ex.Status != want {
			t.Errorf("process %d has the approval %s and the execution %s", i, state.Status, ex.Status)
		}
		if permit := s.Permit("acme", ex, "", c.agent); (permit != "") != (want == execution.StatusAuthorized) {
			t.Errorf("process %d gives the permit %q of an execution that is %s", i, permit, ex.Status)
		}
	}
}

// Starts race with cancellations: whichever the execution recorded first
// counts, and nothing starts after the end.
func TestStartsRaceWithCancellations(t *testing.T) {
	onOneAndOnThree(t, func(t *testing.T, c *crowd) {
		for round := range 10 {
			key := fmt.Sprint("round", round)
			out := c.request(key, "llm.call")
			act := Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)}
			ended := c.race(20, func(s *Service, i int) error {
				call := c.call(c.agent, fmt.Sprint(key, i))
				if i%4 == 3 {
					_, _, err := s.Cancel(context.Background(), call, out.Execution, nil, "not needed", false)
					return err
				}
				_, _, err := s.Start(context.Background(), call, out.Execution, "", out.Permit, act)
				if err == nil {
					return &domain.Error{Code: "started"}
				}
				return err
			})
			types := c.types(ledger.ExecutionStream("acme", out.Execution))
			started, cancelled := slices.Index(types, "execution.action_started.v1"), slices.Index(types, "execution.cancelled.v1")
			if cancelled < 0 || started > cancelled {
				t.Errorf("the execution's stream is %v", types)
			}
			if n := among(types, "execution.action_started.v1"); n > 1 || ended["started"] != n {
				t.Errorf("%d starts are recorded, %d were answered: %v", n, ended["started"], ended)
			}
		}
	})
}

// An execution that was cancelled starts nothing, whatever becomes of the
// approval that it waited for: here its withdrawal could not be recorded, and
// two people approved afterwards.
func TestCancellationOnTheExecutionCountsFirst(t *testing.T) {
	cut := ""
	log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
		if stream == cut {
			return eventlogtest.Before
		}
		return eventlogtest.None
	})
	w, ctx := newWorld(t, log), context.Background()
	out := w.request("ask", "payment.initiate")
	cut = ledger.ApprovalStream("acme", out.Approval)
	if state, _, err := w.s.Cancel(ctx, w.call(w.agent, "cancel"), out.Execution, nil, "not needed", false); state.Status != execution.StatusCancelled {
		t.Fatalf("the execution is %s (%v)", state.Status, err)
	}
	cut = ""
	state, _, err := w.s.Decide(ctx, w.call(w.supervisor, "yes"), out.Approval, approval.Approve, "fine", out.Digest, "")
	if err != nil && code(err) != "approval_decided" { // the withdrawal was tried again meanwhile
		t.Fatal(err)
	}
	ex, err := w.s.Execution(ctx, "acme", out.Execution)
	w.must(err)
	if types := w.types(ledger.ExecutionStream("acme", out.Execution)); ex.Status != execution.StatusCancelled || among(types, broughtEnds...) != 0 {
		t.Errorf("the approval is %s, the execution %s with %v", state.Status, ex.Status, types)
	}
	if permit := w.s.Permit("acme", ex, "", w.agent); permit != "" {
		t.Error("a cancelled execution has a permit")
	}
}

// A permit in hand is void once the execution was cancelled, and a cancelled
// approval can't be approved.
func TestWithdrawnMeansDenied(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "llm.call")
	_, _, err := w.s.Cancel(ctx, w.call(w.agent, "cancel"), out.Execution, nil, "", false)
	w.must(err)
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit, Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)}); code(err) != "execution_ended" {
		t.Errorf("a start after the cancellation: %v", err)
	}

	out = w.request("ask again", "payment.initiate")
	if _, _, err := w.s.WithdrawApproval(ctx, w.call(w.owner, "others"), out.Approval, "", false); code(err) != "not_requester" {
		t.Errorf("somebody else withdraws: %v", err)
	}
	state, first, err := w.s.WithdrawApproval(ctx, w.call(w.agent, "withdraw"), out.Approval, "no need", false)
	if err != nil || state.Status != approval.StatusWithdrawn {
		t.Fatalf("the approval is %s, %v", state.Status, err)
	}
	ex, err := w.s.Execution(ctx, "acme", out.Execution)
	w.must(err)
	act, _ := ex.Action("")
	if ex.Status != execution.StatusDenied || act.Status != execution.StatusDenied {
		t.Errorf("the execution is %s, its action %s", ex.Status, act.Status)
	}
	if _, _, err := w.s.Decide(ctx, w.call(w.supervisor, "yes"), out.Approval, approval.Approve, "", out.Digest, ""); code(err) != "approval_decided" {
		t.Errorf("a vote after the withdrawal: %v", err)
	}
	_, again, err := w.s.WithdrawApproval(ctx, w.call(w.agent, "withdraw"), out.Approval, "no need", false)
	if err != nil || !again.Replayed || again.Position != first.Position {
		t.Errorf("the repeat: %+v, %v; first %+v", again, err, first)
	}
	if types := strings.Join(w.types(ledger.ExecutionStream("acme", out.Execution)), " "); types != "execution.requested.v1 execution.action_denied.v1" {
		t.Errorf("the execution's stream is %s", types)
	}
}

// An approved action waits for its start for a while only.
func TestPermitsAndApprovalsExpire(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "payment.initiate")
	late := w.request("late", "payment.initiate")
	_, _, err := w.s.Decide(ctx, w.call(w.supervisor, "yes"), out.Approval, approval.Approve, "", out.Digest, "")
	w.must(err)
	ex, err := w.s.Execution(ctx, "acme", out.Execution)
	w.must(err)
	permit := w.s.Permit("acme", ex, "", w.agent)
	w.clock = w.clock.Add(permitLife + time.Minute)
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", permit, payment); code(err) != "permit_expired" {
		t.Errorf("a start with an old permit: %v", err)
	}
	w.clock = w.clock.Add(gate.DefaultExpiry)
	for range 2 { // the repeat of a vote that came too late is told the same
		if _, _, err := w.s.Decide(ctx, w.call(w.supervisor, "late"), late.Approval, approval.Approve, "", late.Digest, ""); code(err) != "approval_expired" {
			t.Errorf("a late vote: %v", err)
		}
	}
	if ex, err := w.s.Execution(ctx, "acme", late.Execution); err != nil || ex.Status != execution.StatusDenied {
		t.Errorf("the execution is %s, %v", ex.Status, err)
	}
}
