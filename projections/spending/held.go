package spending

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/projections"
)

// errNoWindow: rows point to one that is not there.
var errNoWindow = fmt.Errorf("%w: a reservation is held in a window that is missing", projections.ErrUnusable)

// heldKey is a reservation of a workspace.
type heldKey struct {
	ws int64
	id domain.ReservationID
}

// held is what a reservation holds back, and where.
type held struct {
	amounts     budget.Amounts
	windows     []int64
	isNew, gone bool
}

// holding answers a reservation, nil if it holds nothing.
func (w *writer) holding(conn *sqlite.Conn, key heldKey) (*held, error) {
	if h, ok := w.held[key]; ok {
		return h, nil
	}
	var h *held
	var bad error
	err := query(conn, `SELECT windows, calls, prompt, output, cost FROM held WHERE ws = ? AND reservation = ?`, func(s *sqlite.Stmt) {
		h = &held{amounts: scanAmounts(s, 1)}
		h.windows, bad = parseNumbers(s.ColumnText(0))
	}, key.ws, string(key.id))
	if err = errors.Join(err, bad); err == nil && h != nil {
		w.held[key] = h
	}
	return h, err
}

// writeHeld writes which reservations came and which are over. Most of those
// of a large batch are both, and leave no row.
func (w *writer) writeHeld(conn *sqlite.Conn) error {
	keys := slices.SortedFunc(maps.Keys(w.held), func(a, b heldKey) int {
		return cmp.Or(cmp.Compare(a.ws, b.ws), cmp.Compare(a.id, b.id))
	})
	for _, key := range keys {
		h := w.held[key]
		var err error
		switch {
		case h.isNew && !h.gone:
			err = exec(conn, `INSERT INTO held (ws, reservation, calls, prompt, output, cost, windows) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				key.ws, string(key.id), h.amounts.Calls, h.amounts.PromptTokens, h.amounts.OutputTokens, h.amounts.CostMicros, formatNumbers(h.windows))
		case h.gone && !h.isNew:
			err = exec(conn, `DELETE FROM held WHERE ws = ? AND reservation = ?`, key.ws, string(key.id))
		}
		if err != nil {
			return err
		}
	}
	clear(w.held)
	return nil
}

func formatNumbers(list []int64) string {
	var b strings.Builder
	for i, n := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}

func parseNumbers(text string) ([]int64, error) {
	var list []int64
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: a reservation's windows are no numbers", projections.ErrUnusable)
		}
		list = append(list, n)
	}
	return list, nil
}
