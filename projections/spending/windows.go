package spending

import (
	"cmp"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain/budget"
)

// keptWindows is how many windows, and how many shares, are remembered from
// one batch to the next.
const keptWindows = 1 << 15

// budgetKey is a budget by the numbers of names.
type budgetKey struct{ ws, budget int64 }

// windowKey is one window of one run of counting.
type windowKey struct {
	budgetKey
	epoch, start int64
}

// window is a row of budget_window.
type window struct {
	id                          int64
	key                         windowKey
	until                       int64
	settled, open               budget.Amounts
	settlements, overruns, late int64
	isNew, dirty                bool
}

// windows are those met lately; a remembered one is as its row is, or dirty.
type windows struct {
	byKey  map[windowKey]*window
	byID   map[int64]*window
	epochs map[budgetKey]int64 // the latest of a budget
	dirty  []*window
	next   int64 // number; 0 until it is looked up
}

func newWindows() windows {
	return windows{byKey: map[windowKey]*window{}, byID: map[int64]*window{}, epochs: map[budgetKey]int64{}}
}

func (w *windows) touch(win *window) {
	if !win.dirty {
		win.dirty = true
		w.dirty = append(w.dirty, win)
	}
}

// at answers a window, made if it is new. The end of a known one moves if time
// zones changed meanwhile, as in the spending book.
func (w *windows) at(conn *sqlite.Conn, key windowKey, until int64) (*window, error) {
	win, err := w.get(conn, key)
	if err != nil {
		return nil, err
	}
	if win != nil {
		win.until = max(win.until, until)
		return win, nil
	}
	latest, err := w.latest(conn, key.budgetKey)
	if err != nil {
		return nil, err
	}
	w.epochs[key.budgetKey] = max(latest, key.epoch)
	if w.next == 0 {
		err := query(conn, `SELECT coalesce(max(id), 0) FROM budget_window`, func(s *sqlite.Stmt) { w.next = s.ColumnInt64(0) + 1 })
		if err != nil {
			return nil, err
		}
	}
	win = &window{id: w.next, key: key, until: until, isNew: true}
	w.next++
	w.keep(win)
	return win, nil
}

func (w *windows) keep(win *window) { w.byKey[win.key], w.byID[win.id] = win, win }

const windowColumns = `SELECT id, ws, budget, epoch, start, until, calls, prompt, output, cost,
	open_calls, open_prompt, open_output, open_cost, settlements, overruns, late FROM budget_window`

func scanWindow(s *sqlite.Stmt) *window {
	return &window{id: s.ColumnInt64(0), key: windowKey{budgetKey{s.ColumnInt64(1), s.ColumnInt64(2)}, s.ColumnInt64(3), s.ColumnInt64(4)},
		until: s.ColumnInt64(5), settled: scanAmounts(s, 6), open: scanAmounts(s, 10),
		settlements: s.ColumnInt64(14), overruns: s.ColumnInt64(15), late: s.ColumnInt64(16)}
}

// get answers a window, nil if there is none.
func (w *windows) get(conn *sqlite.Conn, key windowKey) (*window, error) {
	if win, ok := w.byKey[key]; ok {
		return win, nil
	}
	err := query(conn, windowColumns+` WHERE ws = ? AND budget = ? AND epoch = ? AND start = ?`,
		func(s *sqlite.Stmt) { w.keep(scanWindow(s)) }, key.ws, key.budget, key.epoch, key.start)
	return w.byKey[key], err
}

// numbered answers a window that a reservation holds something in.
func (w *windows) numbered(conn *sqlite.Conn, id int64) (*window, error) {
	if win, ok := w.byID[id]; ok {
		return win, nil
	}
	err := query(conn, windowColumns+` WHERE id = ?`, func(s *sqlite.Stmt) { w.keep(scanWindow(s)) }, id)
	if err == nil && w.byID[id] == nil {
		err = errNoWindow
	}
	return w.byID[id], err
}

// latest answers the latest run of counting that a budget was spent in.
func (w *windows) latest(conn *sqlite.Conn, key budgetKey) (int64, error) {
	if epoch, ok := w.epochs[key]; ok {
		return epoch, nil
	}
	var epoch int64
	err := query(conn, `SELECT coalesce(max(epoch), 0) FROM budget_window WHERE ws = ? AND budget = ?`,
		func(s *sqlite.Stmt) { epoch = s.ColumnInt64(0) }, key.ws, key.budget)
	w.epochs[key] = epoch
	return epoch, err
}

// write writes the windows that changed.
func (w *windows) write(conn *sqlite.Conn) error {
	slices.SortFunc(w.dirty, func(a, b *window) int { return cmp.Compare(a.id, b.id) })
	for _, win := range w.dirty {
		if err := win.write(conn); err != nil {
			return err
		}
		win.isNew, win.dirty = false, false
	}
	clear(w.dirty)
	w.dirty = w.dirty[:0]
	if len(w.byID) > keptWindows || len(w.epochs) > keptWindows {
		clear(w.byID)
		clear(w.byKey)
		clear(w.epochs)
	}
	return nil
}

func (w *window) write(conn *sqlite.Conn) error {
	a, o := w.settled, w.open
	if w.isNew {
		return exec(conn, `INSERT INTO budget_window (id, ws, budget, epoch, start, until, calls, prompt, output, cost,
			open_calls, open_prompt, open_output, open_cost, settlements, overruns, late)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, w.id, w.key.ws, w.key.budget, w.key.epoch, w.key.start, w.until,
			a.Calls, a.PromptTokens, a.OutputTokens, a.CostMicros, o.Calls, o.PromptTokens, o.OutputTokens, o.CostMicros,
			w.settlements, w.overruns, w.late)
	}
	return exec(conn, `UPDATE budget_window SET until = ?, calls = ?, prompt = ?, output = ?, cost = ?,
		open_calls = ?, open_prompt = ?, open_output = ?, open_cost = ?, settlements = ?, overruns = ?, late = ? WHERE id = ?`, w.until,
		a.Calls, a.PromptTokens, a.OutputTokens, a.CostMicros, o.Calls, o.PromptTokens, o.OutputTokens, o.CostMicros,
		w.settlements, w.overruns, w.late, w.id)
}

// micros is a time as rows hold it.
func micros(t time.Time) int64 { return t.UnixMicro() }

// instant is micros the other way round; the zero time stays the zero time.
func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
