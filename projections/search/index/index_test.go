package index_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/search/query"
	"github.com/clawoffice/ledger/projections/search/searchtest"
	"github.com/clawoffice/ledger/projections/search/tags"
)

// kept is an engine that remembers the rows it took, and fails as it is told.
type kept struct {
	*searchtest.Naive
	mu     sync.Mutex
	rows   map[eventlog.Position]search.Row
	before func() error // an insert fails with what it answers, nothing done
	after  func() error // an insert fails with what it answers, all done
}

func newKept() *kept {
	fine := func() error { return nil }
	return &kept{Naive: &searchtest.Naive{}, rows: map[eventlog.Position]search.Row{}, before: fine, after: fine}
}

func (k *kept) Insert(ctx context.Context, b search.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.before(); err != nil {
		return err
	}
	stood, err := k.Naive.Position(ctx)
	if err != nil {
		return err
	}
	if err := k.Naive.Insert(ctx, b); err != nil {
		return err
	}
	for _, r := range b.Rows {
		if r.Position > stood {
			slices.SortFunc(r.Tags, func(a, b search.Tag) int { return strings.Compare(string(a[:]), string(b[:])) })
			r.Tags = slices.Compact(r.Tags)
			k.rows[r.Position] = r
		}
	}
	return k.after()
}

func (k *kept) all() map[eventlog.Position]search.Row {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.rows)
}

func keysOf(f *ledgertest.Fixture) index.Keys {
	secret := f.Keys.Secret()
	return func(ws domain.WorkspaceID, generation int) tags.Key { return secret.SearchKey(ws, uint32(generation)) }
}

// following runs a model with others beside it until stop.
func following(t *testing.T, f *ledgertest.Fixture, dir string, e search.Engine, others ...projections.Projection) (model *index.Model, m *projections.Models, stop func()) {
	t.Helper()
	model = index.New(index.Config{Source: f.Ledger, Keys: keysOf(f), Generation: index.Generation{Number: 1, Engine: e}})
	m, err := projections.New(f.Ledger, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, append(others, model)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil && !errors.Is(err, search.ErrUnavailable) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return model, m, stop
}

func reach(t *testing.T, f *ledgertest.Fixture, m *projections.Models) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	head, err := f.ReadHead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.WaitFor(ctx, index.Name, head); err != nil {
		t.Fatalf("%v\n%+v", err, m.Health())
	}
}

// TestEveryEventHasOneRow compares the rows of a mixed history with its records.
func TestEveryEventHasOneRow(t *testing.T) {
	f := ledgertest.New(t)
	projectionstest.Mixed(t, f, 4000)
	e := newKept()
	_, m, _ := following(t, f, t.TempDir(), e)
	reach(t, f, m)
	rows, workflows := e.all(), map[string]domain.Workflow{}
	for r, err := range f.Read(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		row, ok := rows[r.Position]
		if ledger.IsBookkeeping(r.Stream) {
			if ok {
				t.Errorf("%s@%d is bookkeeping and has a row", r.Stream, r.Revision)
			}
			continue
		}
		delete(rows, r.Position)
		if !ok {
			t.Fatalf("%s@%d (%s) has no row", r.Stream, r.Revision, r.Type)
		}
		if row.ID != r.ID || row.Type != r.Type || row.Stream != r.Stream || !row.Time.Equal(r.Time) || row.Actor.String() != r.Actor || row.Workspace != r.Workspace {
			t.Errorf("the row of %s@%d is %+v", r.Stream, r.Revision, row)
		}
		if r.Type == "execution.requested.v1" {
			workflows[r.Stream] = row.Workflow
		}
		if strings.HasPrefix(r.Type, "execution.") && (row.Workflow != workflows[r.Stream] || row.Workflow == "" || row.Action == "" || row.Outcome == "") {
			t.Errorf("%s@%d %s says workflow %q, action %q, outcome %q", r.Stream, r.Revision, r.Type, row.Workflow, row.Action, row.Outcome)
		}
		if r.Type == "execution.completion_recorded.v1" && (row.Model == "" || len(row.Tags) == 0) {
			t.Errorf("%s@%d has the model %q and %d tags", r.Stream, r.Revision, row.Model, len(row.Tags))
		}
	}
	if len(rows) > 0 {
		t.Errorf("%d rows are of no record", len(rows))
	}
}

// TestRowsAreTheSameWhateverFails fails inserts before and after they are done,
// stops and starts again, and compares with rows that were made in one go.
func TestRowsAreTheSameWhateverFails(t *testing.T) {
	f := ledgertest.New(t)
	projectionstest.Mixed(t, f, 3000)
	whole := newKept()
	_, m, _ := following(t, f, t.TempDir(), whole)
	reach(t, f, m)
	broken, dir, tried, done := newKept(), t.TempDir(), 0, 0
	broken.before = func() error { // the first two do nothing
		if tried++; tried <= 2 {
			return fmt.Errorf("%w: on purpose", search.ErrUnavailable)
		}
		return nil
	}
	broken.after = func() error { // of those that do, the first says that it did not
		if done++; done == 1 {
			return fmt.Errorf("%w: on purpose", search.ErrUnavailable)
		}
		return nil
	}
	for starts := 0; starts < 4 || tried < 4 && starts < 200; starts++ { // each is stopped somewhere
		_, m, stop := following(t, f, dir, broken)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		_ = m.WaitFor(ctx, index.Name, 1<<40)
		cancel()
		stop()
	}
	_, m, _ = following(t, f, dir, broken)
	reach(t, f, m)
	if tried < 4 {
		t.Fatalf("only %d inserts were tried, so this shows nothing", tried)
	}
	if diff := cmp.Diff(whole.all(), broken.all()); diff != "" {
		t.Errorf("rows (-in one go +broken):\n%.4000s", diff)
	}
}

// TestTheIndexIsAwayForAWhile lets every insert fail while others go on.
func TestTheIndexIsAwayForAWhile(t *testing.T) {
	f := ledgertest.New(t)
	projectionstest.Mixed(t, f, 500)
	e := newKept()
	var away sync.Mutex
	gone := true
	e.before = func() error {
		away.Lock()
		defer away.Unlock()
		if gone {
			return search.ErrUnavailable
		}
		return nil
	}
	other := &counter{}
	_, m, _ := following(t, f, t.TempDir(), e, other)
	head, err := f.ReadHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.WaitFor(ctx, "counter", head); err != nil {
		t.Fatalf("another model waits for the index: %v", err)
	}
	if at := m.Position(index.Name); at >= head {
		t.Fatalf("the index says that it stands at %d", at)
	}
	away.Lock()
	gone = false
	away.Unlock()
	reach(t, f, m)
	if rows := len(e.all()); rows == 0 {
		t.Error("the index came back and holds nothing")
	}
}

// said appends a fact and what it names, as a prompt is recorded, and answers
// the fact's position.
func said(t *testing.T, f *ledgertest.Fixture, id domain.ExecutionID, text string, subject domain.SubjectTag) eventlog.Position {
	t.Helper()
	stream := ledger.ExecutionStream("acme", id)
	body := []byte(`{"salt":"zz","body":` + fmt.Sprintf("%q", text) + `}`)
	drafts := []ledger.Draft{
		projectionstest.Draft(t, string(id)+"requested", execution.Requested{Execution: id, Workflow: "invoices", Action: execution.Action{ID: "ac_1", Kind: "llm.call"}}),
		projectionstest.Draft(t, string(id)+"prompt", execution.PromptRecorded{Prompt: "pr_1", Model: "m", Subject: subject,
			Content: execution.Content{Digest: ledgercrypto.Digest(body), Size: len(body)}}),
		ledgertest.Draft(string(id)+"content", "content.prompt.v1", string(body)),
	}
	drafts[2].Subject = subject
	receipt, err := f.Append(t.Context(), stream, ledger.NoTail(), drafts)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Position - 1
}

func ask(words string) index.Ask {
	q, err := query.Parse(words)
	if err != nil {
		panic(err)
	}
	return index.Ask{Workspace: "acme", Query: q, Now: time.Now()}
}

// found answers the positions that a query finds.
func found(t *testing.T, m *index.Model, a index.Ask) (at []eventlog.Position) {
	t.Helper()
	page, err := m.Find(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Rows {
		at = append(at, r.Position)
	}
	return at
}

func TestWordsOfContentAreOfTheFact(t *testing.T) {
	f := ledgertest.New(t)
	at := said(t, f, "ex_1", "The QUARTERLY invoice, größer", "subject1")
	model, m, _ := following(t, f, t.TempDir(), newKept())
	reach(t, f, m)
	for words, want := range map[string][]eventlog.Position{
		`text:"quarterly invoice"`: {at}, `größer model:m workflow:invoices`: {at}, `text:quarterly type:content.*`: nil, `text:absent`: nil,
	} {
		if got := found(t, model, ask(words)); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", words, got, want)
		}
	}
	elsewhere := ask("quarterly")
	elsewhere.Workspace = "beta"
	if got := found(t, model, elsewhere); got != nil {
		t.Errorf("another workspace finds %v", got)
	}
	if _, err := model.Find(t.Context(), ask("text:the")); !errors.Is(err, query.ErrNoWords) {
		t.Errorf("a word that has no tag answered %v", err)
	}
}

// TestErasedContentHasNoWords makes the index after a subject's key is gone.
func TestErasedContentHasNoWords(t *testing.T) {
	f := ledgertest.New(t)
	gone, stays := said(t, f, "ex_1", "quarterly invoice", "subject1"), said(t, f, "ex_2", "quarterly report", "subject2")
	if _, err := f.Ring.Erase(t.Context(), "acme", "subject1"); err != nil {
		t.Fatal(err)
	}
	e := newKept()
	model, m, _ := following(t, f, t.TempDir(), e)
	reach(t, f, m)
	if got := found(t, model, ask("quarterly")); !slices.Equal(got, []eventlog.Position{stays}) {
		t.Errorf("found %v, want only %d", got, stays)
	}
	if _, ok := e.all()[gone]; !ok {
		t.Error("the fact has no row any more")
	}
}
