package policy

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// ErrNotRederivable says that a decision can't be made again from what is
// there: a version of a policy that was asked is missing, or says nothing of
// the action.
var ErrNotRederivable = errors.New("the decision can't be made again")

// Rederive makes a recorded decision again, from the versions of policies that
// were asked then (Decision.Of) and the recorded inputs. lookup answers a
// version in full. The answer is equal to the decision that was recorded, or
// the record is not what this code decided.
func Rederive(lookup func(domain.PolicyID, int) (Written, bool), of []gate.PolicyRef, in Input) (gate.Decision, error) {
	return new(Cache).Rederive(lookup, of, in)
}

// Rederive is the function Rederive, reusing conditions compiled before.
func (c *Cache) Rederive(lookup func(domain.PolicyID, int) (Written, bool), of []gate.PolicyRef, in Input) (gate.Decision, error) {
	asked := make([]*compiled, 0, len(of))
	for _, ref := range of {
		w, ok := lookup(ref.Policy, ref.Version)
		if !ok || !w.Whole() {
			return gate.Decision{}, fmt.Errorf("%w: version %d of policy %s is not at hand", ErrNotRederivable, ref.Version, ref.Policy)
		}
		if w.Policy.Workflow != "*" && w.Policy.Workflow != in.Workflow {
			return gate.Decision{}, fmt.Errorf("%w: version %d of policy %s is for another workflow", ErrNotRederivable, ref.Version, ref.Policy)
		}
		p, err := c.compilePolicy(w)
		if err != nil {
			return gate.Decision{}, err
		}
		asked = append(asked, p)
	}
	if len(asked) == 0 {
		return new(Evaluator).Evaluate(in), nil
	}
	return planOf(asked).evaluate(in), nil
}
