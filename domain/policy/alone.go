package policy

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// Condition is a condition that stands outside a policy, ready to evaluate. It
// never changes and is safe for concurrent use. The zero Condition always holds.
type Condition struct{ compiled *condition }

// Condition compiles a condition; "" always holds. A wrong one is refused with
// its line and column.
func (c *Cache) Condition(text string) (Condition, error) {
	compiled, err := c.condition(text)
	var f *faulty
	switch {
	case errors.As(err, &f):
		return Condition{}, domain.Refuse(domain.Invalid, "invalid_condition", "The condition is wrong at %v.", f).
			With("line", f.line).With("column", f.column)
	case err != nil:
		return Condition{}, fmt.Errorf("compiling a condition: %w", err)
	}
	return Condition{compiled}, nil
}

// Trial evaluates conditions on one action, one after another. Together they
// may take the work that one decision may. It serves one goroutine.
type Trial struct {
	in    Input
	facts facts
}

// NewTrial begins a trial on an action.
func NewTrial(in Input) *Trial {
	t := &Trial{in: in}
	t.facts.in = &t.in
	return t
}

// Holds evaluates a condition. When it can't be evaluated it does not hold, and
// trouble says why, without content.
func (t *Trial) Holds(c Condition) (held bool, trouble string) { return c.compiled.holds(&t.facts) }
