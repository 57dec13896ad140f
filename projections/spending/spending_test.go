package spending_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/spending"
)

func draftOf(tb testing.TB, id string, e domain.Event) ledger.Draft {
	tb.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		tb.Error(err)
	}
	d := ledgertest.Draft(id, e.EventType(), "")
	d.Payload = ledger.WrapFact("mmmmmmmmmmmmmmmmmmmmmm", data)
	return d
}

// book appends events to spending books.
type book struct {
	testing.TB
	*ledgertest.Fixture
	tails map[domain.WorkspaceID]ledger.Tail
	n     int
}

func newBook(tb testing.TB) *book {
	return &book{TB: tb, Fixture: ledgertest.New(tb), tails: map[domain.WorkspaceID]ledger.Tail{}}
}

func (b *book) put(ws domain.WorkspaceID, events ...budget.Event) eventlog.Position {
	b.Helper()
	tail, ok := b.tails[ws]
	if !ok {
		tail = ledger.NoTail()
	}
	var list []ledger.Draft
	for _, e := range events {
		b.n++
		list = append(list, draftOf(b.TB, fmt.Sprint(b.n), e))
	}
	receipt, err := b.Append(context.Background(), ledger.BudgetStream(ws), tail, list)
	if err != nil {
		b.Fatal(err)
	}
	b.tails[ws] = receipt.Tail
	return receipt.Position
}

// follow makes the model of a log and lets it follow; stop ends that.
func follow(tb testing.TB, source projections.Source, dir string) (model *spending.Model, m *projections.Models, stop func()) {
	tb.Helper()
	model = spending.New()
	m, err := projections.New(source, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, model)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	return model, m, func() {
		cancel()
		if err := <-ran; err != nil {
			tb.Error(err)
		}
	}
}

// built makes the model of a whole log.
func built(tb testing.TB, l *ledger.Ledger, dir string) *spending.Model {
	tb.Helper()
	model, m, stop := follow(tb, l, dir)
	tb.Cleanup(func() {
		stop()
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	reach(tb, m, head(tb, l))
	return model
}

func reach(tb testing.TB, m *projections.Models, to eventlog.Position) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.WaitFor(ctx, spending.Name, to); err != nil {
		tb.Fatalf("%v\n%+v", err, m.Health())
	}
}

func head(tb testing.TB, l *ledger.Ledger) eventlog.Position {
	tb.Helper()
	to, err := l.ReadHead(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return to
}

func usageOf(tb testing.TB, m *spending.Model, ws domain.WorkspaceID, id domain.BudgetID, epoch int64, start time.Time) spending.Usage {
	tb.Helper()
	u, err := m.Usage(context.Background(), spending.Run{Workspace: ws, Budget: id, Epoch: epoch}, start)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

var (
	monday  = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	tuesday = monday.AddDate(0, 0, 1)
)

func day(id domain.BudgetID, epoch int64, start time.Time) budget.Entry {
	return budget.Entry{Budget: id, Epoch: epoch, Start: start, End: start.AddDate(0, 0, 1)}
}

func use(calls int64, tokens domain.Tokens, cost domain.Micros) budget.Amounts {
	return budget.Amounts{Calls: calls, PromptTokens: tokens, OutputTokens: 2 * tokens, CostMicros: cost}
}

func reserved(id domain.ReservationID, held budget.Amounts, in ...budget.Entry) budget.Reserved {
	return budget.Reserved{Reservation: id, Amounts: held, Entries: in, At: monday}
}

func settled(id domain.ReservationID, call budget.Call, used budget.Amounts, in ...budget.Entry) budget.Settled {
	return budget.Settled{Reservation: id, Call: call, Used: used, Entries: in, At: monday}
}

func TestUsage(t *testing.T) {
	b := newBook(t)
	ann, bot := budget.Call{Member: "mb_ann", Model: "small"}, budget.Call{Agent: "ag_bot", Model: "large"}
	today, before, total := day("b", 2, tuesday), day("b", 2, monday), budget.Entry{Budget: "all", Epoch: 3}
	old := day("b", 1, tuesday) // of the run before the budget's scope changed
	alert := func(limit string, threshold int, start time.Time) budget.Alerted {
		return budget.Alerted{Budget: "b", Limit: limit, Threshold: threshold, Start: start, Used: 9, Max: 10, At: tuesday}
	}
	late := settled("rs_4", bot, use(1, 4, 40), before)
	late.Late = true
	over := settled("rs_5", bot, use(1, 50, 500), today, total)
	over.Overrun = true
	b.put("acme", budget.Defined{Budget: "b"}, budget.PricesSet{Version: 1}, budget.Deleted{Budget: "c"},
		reserved("rs_1", use(1, 1, 10), today, total), reserved("rs_2", use(1, 2, 20), today, total), reserved("rs_3", use(1, 3, 30), before),
		reserved("rs_4", use(1, 4, 40), before), reserved("rs_5", use(1, 5, 50), today, total), reserved("rs_6", use(1, 6, 60), today),
		reserved("rs_7", use(1, 7, 70)))
	b.put("acme", settled("rs_0", ann, use(1, 1, 1), old), settled("rs_1", ann, use(1, 1, 9), today, total),
		budget.Released{Reservation: "rs_2"}, budget.Expired{Reservation: "rs_4", At: tuesday}, late, over,
		alert("calls", 50, tuesday), alert("cost_micros", 80, tuesday), alert("calls", 100, monday),
		budget.Alerted{Budget: "nowhere", Limit: "calls", Threshold: 50, Start: tuesday, At: tuesday},
		settled("rs_7", bot, use(1, 7, 70)), budget.Released{Reservation: "rs_4"}, budget.Released{Reservation: "rs_9"})
	b.put("other", reserved("rs_1", use(1, 1, 10), today), settled("rs_8", budget.Call{Model: "small"}, use(1, 8, 80), today))
	m := built(t, b.Ledger, t.TempDir())

	by := []spending.Share{{Actor: domain.AgentActor("ag_bot"), Model: "large", Used: use(1, 50, 500)},
		{Actor: domain.MemberActor("mb_ann"), Model: "small", Used: use(1, 1, 9)}}
	yesterday := spending.Window{Start: monday, End: tuesday, Settled: use(1, 4, 40), Open: use(1, 3, 30), Settlements: 1, Late: 1}
	oldRun := spending.Window{Start: tuesday, End: today.End, Settled: use(1, 1, 1), Settlements: 1}
	tests := []struct {
		name  string
		ws    domain.WorkspaceID
		id    domain.BudgetID
		epoch int64
		start time.Time
		want  spending.Usage
	}{
		{"today", "acme", "b", 2, tuesday, spending.Usage{
			Window: spending.Window{Start: tuesday, End: today.End, Settled: use(2, 51, 509), Open: use(1, 6, 60), Settlements: 2, Overruns: 1}, By: by, Steps: []spending.Step{{tuesday, use(2, 51, 509)}},
			Alerts: []spending.Alert{{"cost_micros", 80, 9, 10, tuesday}, {"calls", 50, 9, 10, tuesday}}, Past: []spending.Window{yesterday}}},
		{"a day without calls", "acme", "b", 2, tuesday.AddDate(0, 0, 5), spending.Usage{Window: spending.Window{Start: tuesday.AddDate(0, 0, 5)},
			Past: []spending.Window{{Start: tuesday, End: today.End, Settled: use(2, 51, 509), Open: use(1, 6, 60), Settlements: 2, Overruns: 1}, yesterday}}},
		{"yesterday", "acme", "b", 2, monday, spending.Usage{Window: yesterday, By: []spending.Share{{domain.AgentActor("ag_bot"), "large", use(1, 4, 40)}}, Steps: []spending.Step{{monday, use(1, 4, 40)}},
			Alerts: []spending.Alert{{"calls", 100, 9, 10, tuesday}}}},
		{"the run before", "acme", "b", 1, tuesday, spending.Usage{Window: oldRun, By: []spending.Share{{domain.MemberActor("mb_ann"), "small", use(1, 1, 1)}}, Steps: []spending.Step{{tuesday, use(1, 1, 1)}}}},
		{"a window that never ends", "acme", "all", 3, time.Time{}, spending.Usage{
			Window: spending.Window{Settled: use(2, 51, 509), Settlements: 2, Overruns: 1}, By: by, Steps: []spending.Step{{monday, use(2, 51, 509)}}}},
		{"another workspace's, by the service", "other", "b", 2, tuesday, spending.Usage{
			Window: spending.Window{Start: tuesday, End: today.End, Settled: use(1, 8, 80), Open: use(1, 1, 10), Settlements: 1},
			By:     []spending.Share{{Model: "small", Used: use(1, 8, 80)}}, Steps: []spending.Step{{tuesday, use(1, 8, 80)}}}},
		{"a budget there is not", "acme", "none", 2, tuesday, spending.Usage{Window: spending.Window{Start: tuesday}}},
		{"a workspace there is not", "nobody", "b", 2, tuesday, spending.Usage{Window: spending.Window{Start: tuesday}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, usageOf(t, m, tt.ws, tt.id, tt.epoch, tt.start)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := spending.New().Usage(context.Background(), spending.Run{Workspace: "acme", Budget: "b"}, monday); !errors.Is(err, projections.ErrNotReady) {
		t.Errorf("a model without a file: %v", err)
	}
}

// TestAnswersAreBounded shows the newest windows, and the largest shares.
func TestAnswersAreBounded(t *testing.T) {
	b := newBook(t)
	var events []budget.Event
	for i := range 100 {
		events = append(events, settled(domain.ReservationID(fmt.Sprint("rs_", i)), budget.Call{Model: "m"}, use(1, 1, 1), day("b", 1, monday.AddDate(0, 0, i))))
	}
	last := monday.AddDate(0, 0, 100)
	for i := range 300 {
		call := budget.Call{Agent: domain.AgentID(fmt.Sprintf("ag_%03d", i)), Model: "m"}
		events = append(events, settled(domain.ReservationID(fmt.Sprint("rx_", i)), call, use(1, 1, domain.Micros(1000+i)), day("b", 1, last)))
	}
	for len(events) > 0 {
		b.put("acme", events[:min(100, len(events))]...)
		events = events[min(100, len(events)):]
	}
	u := usageOf(t, built(t, b.Ledger, t.TempDir()), "acme", "b", 1, last)
	if len(u.Past) != 62 || !u.Past[0].Start.Equal(last.AddDate(0, 0, -1)) || !u.Past[61].Start.Equal(last.AddDate(0, 0, -62)) {
		t.Errorf("%d windows, from %s", len(u.Past), u.Past[0].Start)
	}
	if len(u.By) != 200 || u.By[0].Used.CostMicros != 1299 || u.By[199].Used.CostMicros != 1100 {
		t.Errorf("%d shares, the first is %+v", len(u.By), u.By[0])
	}
}

// TestUnknownEventStops does not pass over what a newer version wrote.
func TestUnknownEventStops(t *testing.T) {
	for name, d := range map[string]ledger.Draft{
		"another version": ledgertest.Draft("1", "budget.settled.v9", string(ledger.WrapFact("", []byte(`{}`)))),
		"another event":   ledgertest.Draft("1", "budget.forgiven.v1", string(ledger.WrapFact("", []byte(`{}`)))),
		"no JSON":         ledgertest.Draft("1", "budget.settled.v1", string(ledger.WrapFact("", []byte(`secret`)))),
		"no fact":         ledgertest.Draft("1", "budget.settled.v1", `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			f := ledgertest.New(t)
			if _, err := f.Append(context.Background(), ledger.BudgetStream("acme"), ledger.NoTail(), []ledger.Draft{d}); err != nil {
				t.Fatal(err)
			}
			m, err := projections.New(f.Ledger, t.TempDir(), projections.Options{Logger: slog.New(slog.DiscardHandler)}, spending.New())
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Rebuild(context.Background(), nil, nil); !errors.Is(err, projections.ErrStopped) {
				t.Errorf("rebuilding: %v, want ErrStopped", err)
			}
		})
	}
}

// TestSteps settles before a window, at the edges of its steps and after it.
func TestSteps(t *testing.T) {
	b := newBook(t)
	summer := time.Date(2026, 3, 29, 23, 0, 0, 0, time.UTC).Add(-24 * time.Hour) // a day of 23 hours in Vienna
	short := budget.Entry{Budget: "b", Epoch: 1, Start: summer, End: summer.Add(23 * time.Hour)}
	total := budget.Entry{Budget: "all", Epoch: 1}
	var events []budget.Event
	for i, at := range []time.Duration{-time.Minute, 0, 30*time.Minute - 1000, 30 * time.Minute, 23*time.Hour - 1000, 23 * time.Hour, 90 * time.Hour} {
		e := settled(domain.ReservationID(fmt.Sprint("rs_", i)), budget.Call{Model: "m"}, use(1, domain.Tokens(i), 1), short, total)
		e.At = summer.Add(at)
		events = append(events, e)
	}
	b.put("acme", events...)
	m := built(t, b.Ledger, t.TempDir())
	want := []spending.Step{{summer, use(3, 0+1+2, 3)}, {summer.Add(30 * time.Minute), use(1, 3, 1)}, {summer.Add(22*time.Hour + 30*time.Minute), use(3, 4+5+6, 3)}}
	if diff := cmp.Diff(want, usageOf(t, m, "acme", "b", 1, summer).Steps); diff != "" {
		t.Error(diff)
	}
	noon := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	days := []spending.Step{{noon, use(4, 0+1+2+3, 4)}, {noon.AddDate(0, 0, 1), use(2, 4+5, 2)}, {noon.AddDate(0, 0, 4), use(1, 6, 1)}}
	if diff := cmp.Diff(days, usageOf(t, m, "acme", "all", 1, time.Time{}).Steps); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		window time.Duration
		steps  int
	}{{30 * time.Minute, 30}, {time.Hour, 60}, {23 * time.Hour, 46}, {25 * time.Hour, 50}, {7*24*time.Hour + time.Hour, 43}, {28 * 24 * time.Hour, 56}, {31*24*time.Hour + time.Hour, 63}} {
		length := spending.StepOf(monday, monday.Add(tt.window))
		if n := int((tt.window + length - 1) / length); n != tt.steps || n > spending.MaxSteps {
			t.Errorf("a window of %s has %d steps, want %d", tt.window, n, tt.steps)
		}
	}
}
