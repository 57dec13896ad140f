package spending

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/projections"
)

// Most that one answer holds.
const (
	MaxShares  = 200
	MaxAlerts  = 200
	MaxWindows = 62
)

// Window is what happened in one window of a budget.
type Window struct {
	Start, End  time.Time      // zero for a window that never ends
	Settled     budget.Amounts // what was used
	Open        budget.Amounts // what is reserved
	Settlements int64
	Overruns    int64 // settlements above their reservation
	Late        int64 // settlements after their reservation expired
}

// Share is what one actor used of one model in a window.
type Share struct {
	Actor domain.Actor // zero for the service itself
	Model domain.Model
	Used  budget.Amounts
}

// Alert is a threshold of a limit that was reached in a window.
type Alert struct {
	Limit     string // calls, prompt_tokens, …
	Threshold int    // per cent
	Used, Max int64  // when it was reached
	At        time.Time
}

// Usage is a budget's present window and those before.
type Usage struct {
	Window
	By     []Share  // the largest cost first
	Steps  []Step   // of the present window, those in which something was settled, the oldest first
	Alerts []Alert  // the newest first
	Past   []Window // the newest first; a window in which nothing was reserved has none
}

// Run names a run of counting: a budget and its epoch, as the spending book
// has them. Another scope, window or time zone makes another run.
type Run struct {
	Workspace domain.WorkspaceID
	Budget    domain.BudgetID
	Epoch     int64
}

// Usage answers what was spent in the window that starts at a time, and in
// those of the same run before. A run in which nothing was spent is empty.
func (m *Model) Usage(ctx context.Context, run Run, start time.Time) (u Usage, err error) {
	file := m.file.Load()
	if file == nil {
		return Usage{}, projections.ErrNotReady
	}
	err = file.View(ctx, func(conn *sqlite.Conn) (err error) {
		u, err = usage(conn, run, start)
		return err
	})
	if err != nil {
		return Usage{}, fmt.Errorf("reading what the budget %s has used: %w", run.Budget, err)
	}
	return u, nil
}

const windowsSQL = windowColumns + ` WHERE ws = (SELECT id FROM name WHERE text = ?)
	AND budget = (SELECT id FROM name WHERE text = ?) AND epoch = ? AND start <= ? ORDER BY start DESC LIMIT ?`

// usage reads the present window and those before in one go.
func usage(conn *sqlite.Conn, run Run, start time.Time) (u Usage, err error) {
	present := int64(0)
	u.Start = start
	err = query(conn, windowsSQL, func(s *sqlite.Stmt) {
		switch w := scanWindow(s); {
		case w.key.start == micros(start):
			u.Window, present = w.shown(), w.id
		case len(u.Past) < MaxWindows:
			u.Past = append(u.Past, w.shown())
		}
	}, string(run.Workspace), string(run.Budget), run.Epoch, micros(start), MaxWindows+1)
	if err != nil || present == 0 {
		return u, err
	}
	if u.By, err = sharesOf(conn, present); err != nil {
		return u, err
	}
	if u.Steps, err = stepsOf(conn, u.Window, present); err != nil {
		return u, err
	}
	u.Alerts, err = alertsOf(conn, present)
	return u, err
}

func (w *window) shown() Window {
	return Window{Start: instant(w.key.start), End: instant(w.until), Settled: w.settled, Open: w.open,
		Settlements: w.settlements, Overruns: w.overruns, Late: w.late}
}

// Shares are sorted when they are read: an index by cost would have to be
// written with every settlement, and a window has as many shares as actors use
// models.
const sharesSQL = `SELECT coalesce(a.text, ''), m.text, s.calls, s.prompt, s.output, s.cost
	FROM (SELECT * FROM share WHERE window = ? ORDER BY cost DESC, calls DESC, actor, model LIMIT ?) s
	JOIN name m ON m.id = s.model LEFT JOIN name a ON a.id = s.actor
	ORDER BY s.cost DESC, s.calls DESC, s.actor, s.model`

const alertsSQL = `SELECT amount, threshold, used, most, at FROM alert WHERE window = ? ORDER BY position DESC LIMIT ?`

func sharesOf(conn *sqlite.Conn, window int64) (list []Share, err error) {
	err = query(conn, sharesSQL, func(s *sqlite.Stmt) {
		list = append(list, Share{domain.ParseActor(s.ColumnText(0)), domain.Model(s.ColumnText(1)), scanAmounts(s, 2)})
	}, window, MaxShares)
	return list, err
}

func alertsOf(conn *sqlite.Conn, window int64) (list []Alert, err error) {
	names := amounts()
	err = query(conn, alertsSQL, func(s *sqlite.Stmt) {
		if i := s.ColumnInt(0); i >= 0 && i < len(names) {
			list = append(list, Alert{names[i], s.ColumnInt(1), s.ColumnInt64(2), s.ColumnInt64(3), instant(s.ColumnInt64(4))})
		}
	}, window, MaxAlerts)
	return list, err
}
