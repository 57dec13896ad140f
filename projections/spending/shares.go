package spending

import (
	"cmp"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain/budget"
)

// shareKey is who spent on what in a window, by numbers.
type shareKey struct{ window, actor, model int64 }

func compareShares(a, b shareKey) int {
	return cmp.Or(cmp.Compare(a.window, b.window), cmp.Compare(a.actor, b.actor), cmp.Compare(a.model, b.model))
}

// share is a row of share.
type share struct {
	used  budget.Amounts
	dirty bool
}

// shares are those met lately; a remembered one is as its row is, or dirty.
type shares struct {
	known map[shareKey]*share
	dirty []shareKey
}

func newShares() shares { return shares{known: map[shareKey]*share{}} }

// add adds what was used to a share, made if it is new.
func (s *shares) add(conn *sqlite.Conn, key shareKey, used budget.Amounts) error {
	one, ok := s.known[key]
	if !ok {
		one = &share{}
		err := query(conn, `SELECT calls, prompt, output, cost FROM share WHERE window = ? AND actor = ? AND model = ?`,
			func(row *sqlite.Stmt) { one.used = scanAmounts(row, 0) }, key.window, key.actor, key.model)
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

// write writes the shares that changed.
func (s *shares) write(conn *sqlite.Conn) error {
	slices.SortFunc(s.dirty, compareShares)
	for _, key := range s.dirty {
		one := s.known[key]
		err := exec(conn, `INSERT OR REPLACE INTO share (window, actor, model, calls, prompt, output, cost) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			key.window, key.actor, key.model, one.used.Calls, one.used.PromptTokens, one.used.OutputTokens, one.used.CostMicros)
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
