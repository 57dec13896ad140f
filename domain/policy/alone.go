package policy

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// Condition is a condition that stands outside a policy, ready to evaluate. It
// never changes and is safe for concurrent use.
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

// Holds evaluates the condition on an action, with the limits of work that a
// decision has. When it can't be evaluated, trouble says why, without content.
func (c Condition) Holds(in Input) (held bool, trouble string) {
	return c.compiled.holds(&facts{in: &in})
}
