package spending

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// writer folds events into rows. It remembers names, windows, shares and steps from
// one batch to the next, and during a batch the reservations that it touches,
// so that each row is written once.
type writer struct {
	names   numbers
	windows windows
	shares  shares
	steps   steps
	held    map[heldKey]*held
}

func newWriter() *writer {
	return &writer{names: newNumbers(), windows: newWindows(), shares: newShares(), steps: newSteps(), held: map[heldKey]*held{}}
}

// Flush writes what was applied.
func (m *Model) Flush(_ context.Context, conn *sqlite.Conn) error {
	for _, e := range m.pending {
		if err := m.rows.fold(conn, e); err != nil {
			return fmt.Errorf("counting the record at position %d: %w", e.position, err)
		}
	}
	if err := m.rows.finish(conn); err != nil {
		return err
	}
	clear(m.pending) // lets go of decoded events
	m.pending = m.pending[:0]
	return nil
}

func (w *writer) fold(conn *sqlite.Conn, e entry) error {
	ws, err := w.names.of(conn, string(e.ws))
	if err != nil {
		return err
	}
	switch event := e.event.(type) {
	case budget.Reserved:
		return w.reserved(conn, ws, event)
	case budget.Settled:
		return w.settled(conn, ws, event)
	case budget.Released:
		return w.free(conn, ws, event.Reservation)
	case budget.Expired:
		return w.free(conn, ws, event.Reservation)
	case budget.Alerted:
		return w.alerted(conn, ws, e.position, event)
	}
	return nil
}

func (w *writer) reserved(conn *sqlite.Conn, ws int64, e budget.Reserved) error {
	if len(e.Entries) == 0 {
		return nil
	}
	h := &held{amounts: e.Amounts, windows: make([]int64, 0, len(e.Entries)), isNew: true}
	for _, in := range e.Entries {
		win, err := w.window(conn, ws, in)
		if err != nil {
			return err
		}
		win.open = plus(win.open, e.Amounts)
		w.windows.touch(win)
		h.windows = append(h.windows, win.id)
	}
	w.held[heldKey{ws, e.Reservation}] = h
	return nil
}

// settled counts what was used in full, also when it comes late or is more
// than was reserved.
func (w *writer) settled(conn *sqlite.Conn, ws int64, e budget.Settled) error {
	if err := w.free(conn, ws, e.Reservation); err != nil || len(e.Entries) == 0 {
		return err
	}
	actor, err := w.names.of(conn, callerOf(e.Call))
	if err != nil {
		return err
	}
	model, err := w.names.of(conn, string(e.Call.Model))
	if err != nil {
		return err
	}
	for _, in := range e.Entries {
		win, err := w.window(conn, ws, in)
		if err != nil {
			return err
		}
		win.settled = plus(win.settled, e.Used)
		win.settlements++
		win.overruns += one(e.Overrun)
		win.late += one(e.Late)
		w.windows.touch(win)
		if err := w.shares.add(conn, shareKey{win.id, actor, model}, e.Used); err != nil {
			return err
		}
		if err := w.steps.add(conn, win.stepAt(e.At), e.Used); err != nil {
			return err
		}
	}
	return nil
}

// callerOf names who made a call, as actors are written; "" is the service.
func callerOf(c budget.Call) string {
	switch {
	case c.Agent != "":
		return domain.AgentActor(c.Agent).String()
	case c.Member != "":
		return domain.MemberActor(c.Member).String()
	}
	return ""
}

// free gives back what a reservation holds: nothing if it has expired.
func (w *writer) free(conn *sqlite.Conn, ws int64, id domain.ReservationID) error {
	h, err := w.holding(conn, heldKey{ws, id})
	if err != nil || h == nil || h.gone {
		return err
	}
	h.gone = true
	for _, number := range h.windows {
		win, err := w.windows.numbered(conn, number)
		if err != nil {
			return err
		}
		win.open = minus(win.open, h.amounts)
		w.windows.touch(win)
	}
	return nil
}

// alerted notes an alert. It does not say which run of counting it is of: that
// is the latest, since a book alerts of no other, and only after an event that
// counted in that window.
func (w *writer) alerted(conn *sqlite.Conn, ws, position int64, e budget.Alerted) error {
	name, err := w.names.of(conn, string(e.Budget))
	if err != nil {
		return err
	}
	epoch, err := w.windows.latest(conn, budgetKey{ws, name})
	if err != nil {
		return err
	}
	win, err := w.windows.get(conn, windowKey{budgetKey{ws, name}, epoch, micros(e.Start)})
	if err != nil || win == nil {
		return err
	}
	return exec(conn, `INSERT INTO alert (window, position, amount, threshold, used, most, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		win.id, position, amountCode(e.Limit), e.Threshold, e.Used, e.Max, micros(e.At))
}

// window answers the window of an entry, made if it is new.
func (w *writer) window(conn *sqlite.Conn, ws int64, in budget.Entry) (*window, error) {
	name, err := w.names.of(conn, string(in.Budget))
	if err != nil {
		return nil, err
	}
	return w.windows.at(conn, windowKey{budgetKey{ws, name}, in.Epoch, micros(in.Start)}, micros(in.End))
}

// finish writes what the batch changed, in order.
func (w *writer) finish(conn *sqlite.Conn) error {
	if err := w.windows.write(conn); err != nil {
		return fmt.Errorf("writing windows: %w", err)
	}
	if err := w.shares.write(conn); err != nil {
		return fmt.Errorf("writing shares: %w", err)
	}
	if err := w.steps.write(conn); err != nil {
		return fmt.Errorf("writing steps: %w", err)
	}
	if err := w.writeHeld(conn); err != nil {
		return fmt.Errorf("writing reservations: %w", err)
	}
	w.names.trim()
	return nil
}

// plus adds as the spending book does: a sum that does not fit stays at the
// largest value that does.
func plus(a, b budget.Amounts) budget.Amounts {
	return budget.Amounts{Calls: sum(a.Calls, b.Calls), PromptTokens: sum(a.PromptTokens, b.PromptTokens),
		OutputTokens: sum(a.OutputTokens, b.OutputTokens), CostMicros: sum(a.CostMicros, b.CostMicros)}
}

func sum[N ~int64](a, b N) N {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// minus takes away and never goes below zero.
func minus(a, b budget.Amounts) budget.Amounts {
	return budget.Amounts{Calls: max(0, a.Calls-b.Calls), PromptTokens: max(0, a.PromptTokens-b.PromptTokens),
		OutputTokens: max(0, a.OutputTokens-b.OutputTokens), CostMicros: max(0, a.CostMicros-b.CostMicros)}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
