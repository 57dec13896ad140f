package spending

import (
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// exec runs a statement, prepared once per connection.
func exec(conn *sqlite.Conn, sql string, args ...any) error {
	return sqlitex.Execute(conn, sql, &sqlitex.ExecOptions{Args: args})
}

// query calls row for each row that a statement answers.
func query(conn *sqlite.Conn, sql string, row func(*sqlite.Stmt), args ...any) error {
	return sqlitex.Execute(conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
		row(s)
		return nil
	}})
}

// scanAmounts reads four columns: calls, prompt and output tokens, cost.
func scanAmounts(s *sqlite.Stmt, first int) budget.Amounts {
	return budget.Amounts{Calls: s.ColumnInt64(first), PromptTokens: domain.Tokens(s.ColumnInt64(first + 1)),
		OutputTokens: domain.Tokens(s.ColumnInt64(first + 2)), CostMicros: domain.Micros(s.ColumnInt64(first + 3))}
}

// amounts are the names of limits in the order of their numbers in rows, which
// are durable as long as the model's version is the same.
func amounts() []string {
	return []string{"calls", "prompt_tokens", "output_tokens", "total_tokens", "cost_micros"}
}

func amountCode(limit string) int64 { return int64(slices.Index(amounts(), limit)) }

// keptNames is how many names are remembered.
const keptNames = 1 << 16

// numbers gives names their numbers, in order of first use, from 1. The empty
// name is 0.
type numbers struct {
	known map[string]int64
	next  int64 // 0 until it is looked up
}

func newNumbers() numbers { return numbers{known: map[string]int64{"": 0}} }

func (n *numbers) of(conn *sqlite.Conn, text string) (int64, error) {
	if id, ok := n.known[text]; ok {
		return id, nil
	}
	var id int64
	err := query(conn, `SELECT id FROM name WHERE text = ?`, func(s *sqlite.Stmt) { id = s.ColumnInt64(0) }, text)
	if err == nil && id == 0 {
		id, err = n.make(conn, text)
	}
	if err != nil {
		return 0, err
	}
	n.known[text] = id
	return id, nil
}

func (n *numbers) make(conn *sqlite.Conn, text string) (int64, error) {
	if n.next == 0 {
		err := query(conn, `SELECT coalesce(max(id), 0) FROM name`, func(s *sqlite.Stmt) { n.next = s.ColumnInt64(0) + 1 })
		if err != nil {
			return 0, err
		}
	}
	id := n.next
	n.next++
	return id, exec(conn, `INSERT INTO name (id, text) VALUES (?, ?)`, id, text)
}

func (n *numbers) trim() {
	if len(n.known) > keptNames {
		clear(n.known)
		n.known[""] = 0
	}
}
