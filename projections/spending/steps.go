package spending

import (
	"cmp"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain/budget"
)

// MaxSteps is how many steps of a window one answer holds. Only a window that
// never ends has more; the newest of it are told.
const MaxSteps = 64

// StepOf is how long the steps are in which a window's use is kept, by the
// length of the window, so that an hour to a month has 42 to 63 of them. The
// bounds leave room for days that clocks make longer.
func StepOf(start, end time.Time) time.Duration {
	switch length := end.Sub(start); {
	case end.IsZero():
		return 24 * time.Hour
	case length <= 2*time.Hour:
		return time.Minute
	case length <= 30*time.Hour:
		return 30 * time.Minute
	case length <= 8*24*time.Hour:
		return 4 * time.Hour
	}
	return 12 * time.Hour
}

// Step is what was settled in a part of a window.
type Step struct {
	Start time.Time
	Used  budget.Amounts
}

// stepKey is a step of a window, by numbers. Those of a window that never ends
// are counted from 1970.
type stepKey struct{ window, number int64 }

// stepAt is the step of an instant. What is settled after the window ended
// belongs to its last step, and what is settled before it to its first.
func (w *window) stepAt(at time.Time) stepKey {
	start, end := instant(w.key.start), instant(w.until)
	length := StepOf(start, end)
	if end.IsZero() {
		return stepKey{w.id, at.UnixMicro() / length.Microseconds()}
	}
	last := (end.Sub(start) - 1) / length
	return stepKey{w.id, int64(min(max(at.Sub(start)/length, 0), last))}
}

// step is a row of step.
type step struct {
	used  budget.Amounts
	dirty bool
}

// steps are those met lately; a remembered one is as its row is, or dirty.
type steps struct {
	known map[stepKey]*step
	dirty []stepKey
}

func newSteps() steps { return steps{known: map[stepKey]*step{}} }

// add adds what was used to a step, made if it is new.
func (s *steps) add(conn *sqlite.Conn, key stepKey, used budget.Amounts) error {
	one, ok := s.known[key]
	if !ok {
		one = &step{}
		err := query(conn, `SELECT calls, prompt, output, cost FROM step WHERE window = ? AND number = ?`,
			func(row *sqlite.Stmt) { one.used = scanAmounts(row, 0) }, key.window, key.number)
		if err != nil {
			return err
		}
		s.known[key] = one
	}
	one.used = plus(one.used, used)
	if !one.dirty {
		one.dirty = true
		s.dirty = append(s.dirty, key)
	}
	return nil
}

// write writes the steps that changed.
func (s *steps) write(conn *sqlite.Conn) error {
	slices.SortFunc(s.dirty, func(a, b stepKey) int {
		return cmp.Or(cmp.Compare(a.window, b.window), cmp.Compare(a.number, b.number))
	})
	for _, key := range s.dirty {
		one := s.known[key]
		err := exec(conn, `INSERT OR REPLACE INTO step (window, number, calls, prompt, output, cost) VALUES (?, ?, ?, ?, ?, ?)`,
			key.window, key.number, one.used.Calls, one.used.PromptTokens, one.used.OutputTokens, one.used.CostMicros)
		if err != nil {
			return err
		}
		one.dirty = false
	}
	s.dirty = s.dirty[:0]
	if len(s.known) > keptWindows {
		clear(s.known)
	}
	return nil
}

const stepsSQL = `SELECT number, calls, prompt, output, cost FROM step WHERE window = ? ORDER BY number DESC LIMIT ?`

// stepsOf answers the steps of a window in which something was settled, the
// oldest first.
func stepsOf(conn *sqlite.Conn, w Window, id int64) (list []Step, err error) {
	from, length := w.Start, StepOf(w.Start, w.End)
	if w.End.IsZero() {
		from = time.Unix(0, 0).UTC()
	}
	err = query(conn, stepsSQL, func(s *sqlite.Stmt) {
		list = append(list, Step{from.Add(time.Duration(s.ColumnInt64(0)) * length), scanAmounts(s, 1)})
	}, id, MaxSteps)
	slices.Reverse(list)
	return list, err
}
