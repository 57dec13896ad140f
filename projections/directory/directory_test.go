package directory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/directory"
)

// book appends domain events to streams.
type book struct {
	testing.TB
	*ledgertest.Fixture
	tails map[string]ledger.Tail
	clock time.Time
	n     int
}

func newBook(tb testing.TB) *book {
	return &book{TB: tb, Fixture: ledgertest.New(tb), tails: map[string]ledger.Tail{}, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
}

func (b *book) put(stream string, events ...domain.Event) eventlog.Position {
	b.Helper()
	var list []ledger.Draft
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, b.draft(e.EventType(), ledger.WrapFact("", data)))
	}
	return b.append(stream, list)
}

func (b *book) draft(kind string, payload []byte) ledger.Draft {
	b.n++
	b.clock = b.clock.Add(time.Second)
	d := ledgertest.Draft(fmt.Sprint(b.n), kind, string(payload))
	d.Time = b.clock
	return d
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

// request is an execution with this effect.
func request(id domain.ExecutionID, workflow domain.Workflow, by domain.Actor, effect gate.Effect) execution.Requested {
	return execution.Requested{Execution: id, Workflow: workflow, Action: execution.Action{ID: "ac_1", Kind: "payment.initiate"},
		Decision: gate.Decision{Effect: effect}, By: by}
}

// built makes the model of a log.
func built(tb testing.TB, l *ledger.Ledger, dir string) *directory.Model {
	tb.Helper()
	model := directory.New()
	m, err := projections.New(l, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, model)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, m.Close()); err != nil {
			tb.Error(err)
		}
	})
	head, err := l.ReadHead(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	bounded, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	if err := m.WaitFor(bounded, directory.Name, head); err != nil {
		tb.Fatalf("%v\n%+v", err, m.Health())
	}
	return model
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

func executionIDs(p directory.Page[directory.Execution]) []domain.ExecutionID {
	ids := []domain.ExecutionID{}
	for _, e := range p.Items {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestExecutions(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	one, two := domain.AgentActor("ag_1"), domain.AgentActor("ag_2")
	b.put("acme/execution-ex_1", request("ex_1", "invoices", one, gate.Allow))
	b.put("acme/execution-ex_2", request("ex_2", "invoices", two, gate.RequireApproval))
	b.put("other/execution-ex_1", request("ex_1", "invoices", one, gate.Allow))
	b.put("acme/execution-ex_3", request("ex_3", "mail", one, gate.Deny))
	b.put("acme/execution-ex_4", request("ex_4", "mail", one, gate.Allow), execution.ActionStarted{Action: "ac_1"},
		execution.PromptRecorded{Prompt: "pr_1"}, execution.Completed{})
	b.put("acme/execution-ex_1", execution.ActionStarted{Action: "ac_1"})
	b.put("acme/execution-ex_5", request("ex_5", "mail", two, gate.Allow), execution.ActionStarted{Action: "ac_1"},
		execution.PromptRecorded{Prompt: "pr_1"}, execution.PromptFailed{Prompt: "pr_1"}, execution.Failed{})
	m := built(t, b.Ledger, t.TempDir())

	tests := []struct {
		name string
		f    directory.ExecutionFilter
		want []domain.ExecutionID
	}{
		{"all, newest first", directory.ExecutionFilter{}, []domain.ExecutionID{"ex_5", "ex_4", "ex_3", "ex_2", "ex_1"}},
		{"oldest first", directory.ExecutionFilter{OldestFirst: true}, []domain.ExecutionID{"ex_1", "ex_2", "ex_3", "ex_4", "ex_5"}},
		{"started", directory.ExecutionFilter{Status: execution.StatusStarted}, []domain.ExecutionID{"ex_1"}},
		{"waiting", directory.ExecutionFilter{Status: execution.StatusAwaiting}, []domain.ExecutionID{"ex_2"}},
		{"denied", directory.ExecutionFilter{Status: execution.StatusDenied}, []domain.ExecutionID{"ex_3"}},
		{"cancelled", directory.ExecutionFilter{Status: execution.StatusCancelled}, []domain.ExecutionID{}},
		{"of no known status", directory.ExecutionFilter{Status: "sleeping"}, []domain.ExecutionID{}},
		{"of a workflow", directory.ExecutionFilter{Workflow: "mail"}, []domain.ExecutionID{"ex_5", "ex_4", "ex_3"}},
		{"of a workflow there is not", directory.ExecutionFilter{Workflow: "none"}, []domain.ExecutionID{}},
		{"of an actor", directory.ExecutionFilter{Actor: two}, []domain.ExecutionID{"ex_5", "ex_2"}},
		{"unresolved", directory.ExecutionFilter{Unresolved: true}, []domain.ExecutionID{"ex_4", "ex_1"}},
		{"all at once", directory.ExecutionFilter{Status: execution.StatusCompleted, Workflow: "mail", Actor: one, Unresolved: true}, []domain.ExecutionID{"ex_4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, cursor := []domain.ExecutionID{}, ""
			for { // in pages of two
				p := must(m.Executions(ctx, "acme", tt.f, cursor, 2))(t)
				got = append(got, executionIDs(p)...)
				if cursor = p.Next; cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}

	e := must(m.Execution(ctx, "acme", "ex_4"))(t)
	if e.Status != execution.StatusCompleted || !e.Unresolved || e.Workflow != "mail" || e.Kind != "payment.initiate" || e.Actor != one ||
		e.Updated.Sub(e.Created) != 3*time.Second || !e.Ended.Equal(e.Updated) || e.Position == 0 {
		t.Errorf("execution is %+v", e)
	}
	for _, id := range []domain.ExecutionID{"ex_9", "", "ex_2'"} {
		if _, err := m.Execution(ctx, "acme", id); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("execution %q: %v", id, err)
		}
	}
	if _, err := m.Execution(ctx, "other", "ex_2"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("another workspace's execution: %v", err)
	}
	for _, cursor := range []string{"x", "Y2", "YzA", "!!!!"} {
		if _, err := m.Executions(ctx, "acme", directory.ExecutionFilter{}, cursor, 2); !errors.Is(err, directory.ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestEvents(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	b.put("acme/execution-ex_1", request("ex_1", "w", domain.AgentActor("ag_1"), gate.Allow), execution.ActionStarted{})
	b.put("other/execution-ex_1", request("ex_1", "w", domain.AgentActor("ag_1"), gate.Allow))
	b.append("acme/checkpoint-notary", []ledger.Draft{b.draft("checkpoint.made.v1", nil)})
	b.put("acme/execution-ex_2", request("ex_2", "w", domain.AgentActor("ag_1"), gate.Allow))
	b.put("acme/execution-ex_1", execution.Completed{})
	m := built(t, b.Ledger, t.TempDir())
	var all []directory.Event
	for r, err := range b.Read(ctx, eventlog.Query{StreamPrefixes: []string{"acme/execution-"}}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, directory.Event{Position: r.Position, Stream: r.Stream, Revision: r.Revision, Type: r.Type, ID: r.ID})
	}
	tests := []struct {
		name  string
		after eventlog.Position
		f     directory.EventFilter
		limit int
		want  []directory.Event
	}{
		{"all", 0, directory.EventFilter{}, 0, all},
		{"a page", all[0].Position, directory.EventFilter{}, 2, all[1:3]},
		{"of a stream", 0, directory.EventFilter{Stream: "execution-ex_1"}, 0, []directory.Event{all[0], all[1], all[3]}},
		{"of a stream, later", all[0].Position, directory.EventFilter{Stream: "execution-ex_1"}, 1, all[1:2]},
		{"of a type", 0, directory.EventFilter{Type: "execution.requested.v1"}, 0, []directory.Event{all[0], all[2]}},
		{"of both", 0, directory.EventFilter{Type: "execution.requested.v1", Stream: "execution-ex_2"}, 0, all[2:3]},
		{"of no stream", 0, directory.EventFilter{Stream: "execution-ex_9"}, 0, []directory.Event{}},
		{"bookkeeping", 0, directory.EventFilter{Stream: "checkpoint-notary"}, 0, []directory.Event{}},
		{"after the end", all[3].Position, directory.EventFilter{}, 0, []directory.Event{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := must(m.Events(ctx, "acme", tt.after, tt.f, tt.limit))(t)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := must(m.Event(ctx, "acme", all[2].ID))(t); got != all[2] {
		t.Errorf("found %+v, want %+v", got, all[2])
	}
	for _, ws := range []domain.WorkspaceID{"other", "nobody"} {
		if _, err := m.Event(ctx, ws, all[2].ID); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("found in %s: %v", ws, err)
		}
	}
	if _, err := directory.New().Event(ctx, "acme", all[2].ID); !errors.Is(err, projections.ErrNotReady) {
		t.Errorf("a model without a file: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	payload := []byte(`{"name":"Ann"}`)
	d := b.draft(directory.ProfileContent, payload)
	d.Subject = "subject"
	b.append("acme/workspace-acme", []ledger.Draft{b.draft("workspace.resumed.v1", ledger.WrapFact("", []byte("{}"))), d})
	dir := t.TempDir()
	m := built(t, b.Ledger, dir)
	stream, revision, err := m.Profile(ctx, "acme", ledgercrypto.Digest(payload))
	if err != nil || stream != "acme/workspace-acme" || revision != 1 {
		t.Errorf("profile is at %s@%d, %v", stream, revision, err)
	}
	if _, _, err := m.Profile(ctx, "other", ledgercrypto.Digest(payload)); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("another workspace's profile: %v", err)
	}
}
