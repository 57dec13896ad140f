package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// direct is the access model without a projection: it folds from the log when
// asked.
type direct struct{ service **Service }

func (d direct) Rules(ws domain.WorkspaceID) (workspace.State, *policy.Evaluator, bool, error) {
	s, ctx := *d.service, context.Background()
	state, exists, err := s.workspaces.Load(ctx, ledger.WorkspaceStream(ws))
	if err != nil || !exists {
		return state, nil, false, err
	}
	policies, err := s.Policies(ctx, ws)
	if err != nil {
		return state, nil, false, err
	}
	rules, err := policy.Compile(policies)
	return state, rules, true, err
}

func (d direct) Invited(hash domain.Digest) (domain.WorkspaceID, bool) {
	state, _, ok, _ := d.Rules("acme")
	_, invited := state.MemberByInvitation(hash)
	return "acme", ok && invited
}

// signing makes a key directory sign and check permits.
type signing struct{ keys *ledgercrypto.Dir }

func (s signing) SignPermit(payload []byte) []byte { return s.keys.Signer().SignPermit(nil, payload) }

func (s signing) VerifyPermit(token []byte) ([]byte, error) {
	payload, _, err := s.keys.Verifier().Verify(token, ledgercrypto.PermitTyp)
	return payload, err
}

// world is a workspace with an owner, a supervisor and an agent.
type world struct {
	t          *testing.T
	f          *ledgertest.Fixture
	s          *Service
	clock      time.Time // added to the real one
	owner      domain.Actor
	supervisor domain.Actor
	agent      domain.Actor
}

func newWorld(t *testing.T, log eventlog.Log) *world {
	t.Helper()
	w := &world{t: t, f: ledgertest.On(t, log, ledgertest.Keys(t))}
	w.restart()
	ctx := context.Background()
	made, err := w.s.CreateWorkspace(ctx, w.call(domain.Operator(), "create"), CreateWorkspace{Name: "Acme", Currency: "EUR", OwnerEmail: "o@acme.test", OwnerName: "Olga"})
	w.must(err)
	w.owner = domain.MemberActor(made.Owner)
	invited, err := w.s.InviteMember(ctx, w.call(w.owner, "invite"), "s@acme.test", "Sam", []domain.RoleName{domain.RoleOperationsSupervisor})
	w.must(err)
	joined, err := w.s.AcceptInvitation(ctx, invited.Token.Token, "", nil)
	w.must(err)
	w.supervisor = domain.MemberActor(joined.Member)
	agent, _, err := w.s.RegisterAgent(ctx, w.call(w.owner, "agent"), "billing bot", []domain.RoleName{domain.RoleAgent}, []domain.Workflow{"invoices"})
	w.must(err)
	w.agent = domain.AgentActor(agent)
	return w
}

// restart makes a new Service over the same log, as a new process would.
func (w *world) restart() {
	again := ledgertest.On(w.t, w.f.Log, w.f.Keys)
	w.s = New(Config{Log: again.Ledger, Keys: again.Ring, Secret: w.f.Keys.Secret(), Permits: signing{w.f.Keys},
		Access: direct{&w.s}, Now: func() time.Time { return time.Now().Add(w.clock.Sub(time.Time{})) }, Logger: slog.New(slog.DiscardHandler)})
	s := w.s
	w.t.Cleanup(func() { _ = s.Close(context.Background()) })
}

func (w *world) call(actor domain.Actor, key string) Call {
	return w.s.NewCall("acme", actor, "", "TEST", "/test", key, []byte("body of "+key))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) request(key, kind string) Requested {
	w.t.Helper()
	out, err := w.s.RequestExecution(context.Background(), w.call(w.agent, key), RequestExecution{Workflow: "invoices",
		Action: Action{Kind: domain.ActionKind(kind), Params: json.RawMessage(`{"amount":12}`)}})
	w.must(err)
	return out
}

func TestExecutionFromRequestToCompletion(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "llm.call")
	if out.Status != execution.StatusAuthorized || out.Permit == "" || out.Decision.Effect != gate.Allow {
		t.Fatalf("got %+v", out)
	}
	act := Action{Kind: "llm.call", Params: json.RawMessage(`{ "amount": 12 }`)} // the same action, spelled otherwise
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit, act); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "start again"), out.Execution, "", out.Permit, act); code(err) != "permit_used" {
		t.Errorf("a used permit: %v", err)
	}
	prompt, err := w.s.RecordPrompt(ctx, w.call(w.agent, "prompt"), out.Execution, RecordPrompt{Model: "m1",
		Content: json.RawMessage(`"write the mail"`), PromptTokens: 20, MaxOutputTokens: 100})
	w.must(err)
	cost := domain.Micros(700)
	_, err = w.s.RecordCompletion(ctx, w.call(w.agent, "completion"), out.Execution, prompt.Prompt.Prompt,
		RecordCompletion{Content: json.RawMessage(`"the mail"`), Usage: execution.Usage{PromptTokens: 18, OutputTokens: 40}, CostMicros: &cost})
	w.must(err)
	state, _, err := w.s.Complete(ctx, w.call(w.agent, "complete"), out.Execution, json.RawMessage(`{"ok":true}`), "")
	if err != nil || state.Status != execution.StatusCompleted || state.Unresolved() {
		t.Errorf("the execution is %s, unresolved %v (%v)", state.Status, state.Unresolved(), err)
	}
	history, err := w.s.History(ctx, "acme", out.Execution, 100)
	if err != nil || len(history) != 5 {
		t.Errorf("the history has %d entries (%v), want 5", len(history), err)
	}
}

// Every call of a whole flow, made again after a restart, answers the same and
// writes nothing.
func TestRepeatedFlowWritesNothing(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	flow := func() []any {
		out := w.request("ask", "llm.call")
		_, start, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit, Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)})
		w.must(err)
		prompt, err := w.s.RecordPrompt(ctx, w.call(w.agent, "prompt"), out.Execution, RecordPrompt{Model: "m1",
			Content: json.RawMessage(`"` + strings.Repeat("long ", 200_000) + `"`), PromptTokens: 20, MaxOutputTokens: 100})
		w.must(err)
		completion, err := w.s.RecordCompletion(ctx, w.call(w.agent, "completion"), out.Execution, prompt.Prompt.Prompt,
			RecordCompletion{Content: json.RawMessage(`"the mail"`), Usage: execution.Usage{PromptTokens: 18, OutputTokens: 40}})
		w.must(err)
		return []any{out.Permit, start.Position, prompt.Prompt, completion.Position}
	}
	first, before := flow(), count(t, w.f.Log)
	w.restart()
	second, after := flow(), count(t, w.f.Log)
	if a, b := jsonOf(t, first), jsonOf(t, second); a != b {
		t.Errorf("the answers differ:\n%s\n%s", a, b)
	}
	if before != after {
		t.Errorf("the repeat wrote %d records", after-before)
	}
}

func count(t *testing.T, log eventlog.Log) (n int) {
	t.Helper()
	for _, err := range log.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestApprovalGivesThePermit(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "payment.initiate")
	if out.Status != execution.StatusAwaiting || out.Permit != "" {
		t.Fatalf("got %+v", out)
	}
	seen, err := w.s.Approval(ctx, "acme", out.Approval)
	if err != nil || seen.Request.Digest != out.Digest || string(seen.Request.Params) != `{"amount":12}` {
		t.Fatalf("the approval shows %+v, %v", seen.Request, err)
	}
	for name, test := range map[string]struct {
		who    domain.Actor
		digest domain.Digest
		want   string
	}{
		"the requester":    {w.agent, out.Digest, "requester_may_not_decide"},
		"another digest":   {w.supervisor, "AAAA", "action_changed"},
		"without the role": {domain.MemberActor("mb_nobody"), out.Digest, "role_required"},
	} {
		if _, _, err := w.s.Decide(ctx, w.call(test.who, name), out.Approval, approval.Approve, "fine", test.digest, ""); code(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	state, _, err := w.s.Decide(ctx, w.call(w.supervisor, "yes"), out.Approval, approval.Approve, "fine", out.Digest, "")
	if err != nil || state.Status != approval.StatusApproved {
		t.Fatalf("the approval is %s, %v", state.Status, err)
	}
	ex, err := w.s.Execution(ctx, "acme", out.Execution)
	w.must(err)
	if got := w.s.Permit("acme", ex, "", w.supervisor); got != "" {
		t.Error("somebody but the requester got the permit")
	}
	permit := w.s.Permit("acme", ex, "", w.agent)
	changed := Action{Kind: "payment.initiate", Params: json.RawMessage(`{"amount":13}`)}
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "changed"), out.Execution, "", permit, changed); code(err) != "action_changed" {
		t.Errorf("changed params: %v", err)
	}
	same := Action{Kind: "payment.initiate", Params: json.RawMessage(`{"amount":12}`)}
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", permit, same); err != nil {
		t.Error(err)
	}
}

func TestDenialEndsTheExecution(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "payment.initiate")
	_, _, err := w.s.Decide(ctx, w.call(w.supervisor, "no"), out.Approval, approval.Deny, "too much", out.Digest, "")
	w.must(err)
	if state, err := w.s.Execution(ctx, "acme", out.Execution); err != nil || state.Status != execution.StatusDenied {
		t.Errorf("the execution is %s, %v", state.Status, err)
	}
}

func TestCancelWithdrawsTheApproval(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "payment.initiate")
	_, _, err := w.s.Cancel(ctx, w.call(w.agent, "cancel"), out.Execution, nil, "not needed", false)
	w.must(err)
	if state, err := w.s.Approval(ctx, "acme", out.Approval); err != nil || state.Status != approval.StatusWithdrawn {
		t.Errorf("the approval is %s, %v", state.Status, err)
	}
}

// The policies are asked again at the start, and a stricter answer counts.
func TestPolicyOfNowIsAsked(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "llm.call")
	_, _, err := w.s.WritePolicy(ctx, w.call(w.owner, "policy"), "freeze", policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Allow,
		Rules: []policy.Rule{{ID: "stop", Actions: []domain.ActionKind{"llm.call"}, Effect: gate.Deny, Reason: "audit"}}}, nil)
	w.must(err)
	act := Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)}
	if _, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit, act); code(err) != "policy_changed" {
		t.Errorf("got %v, want policy_changed", err)
	}
}

// Every version of a policy can be read in full, however many there are.
func TestPolicyVersionsAreWhole(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	for i := range 15 {
		_, _, err := w.s.WritePolicy(ctx, w.call(w.owner, fmt.Sprint("policy", i)), "p", policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Allow,
			Rules: []policy.Rule{{ID: "r", Actions: []domain.ActionKind{"llm.call"}, Effect: gate.Deny, Reason: fmt.Sprint("reason ", i)}}}, nil)
		w.must(err)
	}
	versions, err := w.s.PolicyVersions(ctx, "acme", "p")
	w.must(err)
	for i, v := range versions {
		if v.Version != i+1 || !v.Whole() || v.Policy.Rules[0].Reason != fmt.Sprint("reason ", i) {
			t.Errorf("version %d is %+v", i+1, v)
		}
	}
	if len(versions) != 15 {
		t.Errorf("there are %d versions, want 15", len(versions))
	}
}

func TestBudgetHoldsBackPrompts(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	limit := domain.Tokens(150)
	_, _, err := w.s.DefineBudget(ctx, w.call(w.owner, "budget"), "tokens", budget.Spec{Scope: budget.Scope{Workspace: true}, Window: budget.Total,
		Timezone: "Europe/Vienna", Limits: budget.Limits{TotalTokens: &limit}, Mode: budget.Enforce}, nil)
	w.must(err)
	out := w.request("ask", "llm.call")
	_, _, err = w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit, Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)})
	w.must(err)
	ask := func(key string) (PromptRecorded, error) {
		return w.s.RecordPrompt(ctx, w.call(w.agent, key), out.Execution, RecordPrompt{Model: "m1", Content: json.RawMessage(`"p"`), PromptTokens: 50, MaxOutputTokens: 50})
	}
	first, err := ask("one")
	w.must(err)
	if _, err := ask("two"); code(err) != "budget_exceeded" {
		t.Errorf("a prompt beyond the budget: %v", err)
	}
	_, err = w.s.FailPrompt(ctx, w.call(w.agent, "fail"), out.Execution, first.Prompt.Prompt, "timeout")
	w.must(err)
	if _, err := ask("three"); err != nil {
		t.Errorf("after the failure gave it back: %v", err)
	}
}

// started is an execution that runs.
func (w *world) started(key string) domain.ExecutionID {
	w.t.Helper()
	out := w.request(key, "llm.call")
	_, _, err := w.s.Start(context.Background(), w.call(w.agent, key+" start"), out.Execution, "", out.Permit, Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)})
	w.must(err)
	return out.Execution
}

// A reservation whose prompt was not recorded expires, and its room goes to
// others. The repeat of its call must not be granted on it.
func TestLateRepeatReservesAnew(t *testing.T) {
	broken := ""
	log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
		if stream == broken {
			return eventlogtest.Before
		}
		return eventlogtest.None
	})
	w, ctx := newWorld(t, log), context.Background()
	one := int64(1)
	_, _, err := w.s.DefineBudget(ctx, w.call(w.owner, "budget"), "calls", budget.Spec{Scope: budget.Scope{Workspace: true}, Window: budget.Total,
		Timezone: "UTC", Limits: budget.Limits{Calls: &one}, Mode: budget.Enforce}, nil)
	w.must(err)
	ex := w.started("ask")
	ask := func(key string) error {
		_, err := w.s.RecordPrompt(ctx, w.call(w.agent, key), ex, RecordPrompt{Model: "m1", Content: json.RawMessage(`"p"`), PromptTokens: 5, MaxOutputTokens: 5})
		return err
	}
	broken = ledger.ExecutionStream("acme", ex)
	if err := ask("one"); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("the execution's log was cut off: %v", err)
	}
	broken = ""
	w.clock = w.clock.Add(11 * time.Minute)
	w.must(ask("two"))
	if err := ask("one"); code(err) != "budget_exceeded" {
		t.Errorf("the late repeat: %v, want budget_exceeded", err)
	}
}

// Large content that was refused under a key must not stand for another that is
// accepted under it.
func TestLargeContentIsTheAcceptedOne(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	out := w.request("ask", "llm.call")
	big := func(letter string) json.RawMessage {
		return json.RawMessage(`"` + strings.Repeat(letter, 600<<10) + `"`)
	}
	c := func(body string) Call {
		return w.s.NewCall("acme", w.agent, "", "TEST", "/complete", "key", []byte(body))
	}
	before := count(t, w.f.Log)
	if _, _, err := w.s.Complete(ctx, c("a"), out.Execution, big("a"), ""); code(err) != "not_started" {
		t.Fatalf("got %v, want not_started", err)
	}
	if after := count(t, w.f.Log); after != before {
		t.Errorf("the refused call wrote %d records", after-before)
	}
	_, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit, Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)})
	w.must(err)
	_, _, err = w.s.Complete(ctx, c("b"), out.Execution, big("b"), "")
	w.must(err)
	history, err := w.s.History(ctx, "acme", out.Execution, 100)
	w.must(err)
	var done execution.Completed
	w.must(json.Unmarshal(history[len(history)-1].Event, &done))
	var text []byte
	for r, err := range w.s.log.ReadStream(ctx, done.Result.Stream, ledger.NoTail()) {
		w.must(err)
		text = append(text, r.Payload...)
	}
	if ledgercrypto.Digest(text) != done.Result.Digest || !strings.Contains(string(text), "bbbb") {
		t.Error("the recorded parts are not what the fact names")
	}
}

func TestParamsWithoutCanonicalFormAreRefused(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	before := count(t, w.f.Log)
	_, err := w.s.RequestExecution(context.Background(), w.call(w.agent, "ask"), RequestExecution{Workflow: "invoices",
		Action: Action{Kind: "llm.call", Params: json.RawMessage(`{"account":12345678901234567890}`)}})
	if code(err) != "invalid_action" || count(t, w.f.Log) != before {
		t.Errorf("got %v and %d records more", err, count(t, w.f.Log)-before)
	}
}

func TestWorkflowIsTheAgents(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	_, err := w.s.RequestExecution(ctx, w.call(w.agent, "ask"), RequestExecution{Workflow: "payroll", Action: Action{Kind: "llm.call", Params: json.RawMessage(`{}`)}})
	if code(err) != "workflow_not_allowed" {
		t.Errorf("got %v", err)
	}
}

func TestSuspendedWorkspaceRecordsNothing(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	_, err := w.s.Suspend(ctx, w.call(domain.Operator(), "suspend"), "unpaid")
	w.must(err)
	_, err = w.s.RequestExecution(ctx, w.call(w.agent, "ask"), RequestExecution{Workflow: "invoices", Action: Action{Kind: "llm.call", Params: json.RawMessage(`{}`)}})
	if code(err) != "workspace_suspended" {
		t.Errorf("got %v", err)
	}
	_, err = w.s.Resume(ctx, w.call(domain.Operator(), "resume"))
	w.must(err)
	w.request("ask", "llm.call")
}

func TestSecretsAreShownOnce(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	first, err := w.s.IssueToken(ctx, w.call(w.owner, "token"), w.agent, "ci", nil)
	w.must(err)
	again, err := w.s.IssueToken(ctx, w.call(w.owner, "token"), w.agent, "ci", nil)
	w.must(err)
	if !first.Token.Shown || again.Token.Shown || again.Token.Token != "" || again.ID != first.ID {
		t.Errorf("first %+v, again %+v", first.Token.Shown, again)
	}
}

// Each append of a whole flow fails in each way; the caller asks again, and in
// the end everything happened once.
func TestFlowUnderFaults(t *testing.T) {
	for name, fault := range map[string]eventlogtest.Fault{"before": eventlogtest.Before, "after": eventlogtest.After} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			armed := false
			log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
				if calls++; armed && !ledger.IsKeyStream(stream) && calls%2 == 0 {
					return fault
				}
				return eventlogtest.None
			})
			w, ctx := newWorld(t, log), context.Background()
			armed = true
			again := func(f func() error) {
				t.Helper()
				for range 5 {
					if err := f(); !errors.Is(err, ErrUnavailable) {
						w.must(err)
						return
					}
				}
				t.Fatal("still unavailable after five tries")
			}
			var out Requested
			again(func() (err error) {
				out, err = w.s.RequestExecution(ctx, w.call(w.agent, "ask"), RequestExecution{Workflow: "invoices",
					Action: Action{Kind: "payment.initiate", Params: json.RawMessage(`{"amount":1}`)}})
				return err
			})
			again(func() error {
				_, _, err := w.s.Decide(ctx, w.call(w.supervisor, "yes"), out.Approval, approval.Approve, "", out.Digest, "")
				return err
			})
			state, err := w.s.Approval(ctx, "acme", out.Approval)
			w.must(err)
			again(func() error {
				return w.s.Perform(ctx, "acme", process.Command{Step: process.BringOutcome, Execution: out.Execution, Approval: state.Request.Approval})
			})
			ex, err := w.s.Execution(ctx, "acme", out.Execution)
			w.must(err)
			permit := w.s.Permit("acme", ex, "", w.agent)
			again(func() error {
				_, _, err := w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", permit, Action{Kind: "payment.initiate", Params: json.RawMessage(`{"amount":1}`)})
				return err
			})
			armed = false
			history, err := w.s.History(ctx, "acme", out.Execution, 100)
			w.must(err)
			if len(history) != 3 {
				t.Errorf("the execution has %d events, want requested, authorized and started once each", len(history))
			}
		})
	}
}
