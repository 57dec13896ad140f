package policy

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain/gate"
)

// strictest picks the statement that decides; all is never empty.
func strictest(all []said) said {
	best := all[0]
	for _, s := range all[1:] {
		if beats(s, best) {
			best = s
		}
	}
	return best
}

// beats reports whether a decides over b, which came before it.
func beats(a, b said) bool {
	if a.effect != b.effect {
		return a.effect.Stricter(b.effect)
	}
	if a.effect == gate.RequireApproval {
		if a.approval.Count != b.approval.Count {
			return a.approval.Count > b.approval.Count
		}
		if a.approval.SeparationOfDuties != b.approval.SeparationOfDuties {
			return a.approval.SeparationOfDuties
		}
		if x, y := expiry(a.approval), expiry(b.approval); x != y {
			return x < y
		}
	}
	return a.weight < b.weight
}

// decision makes the decision out of everything that was said.
func decision(all []said, gated bool) gate.Decision {
	s := strictest(all)
	d := gate.Decision{Effect: s.effect, Rule: s.rule, Reason: s.reason}
	if s.errored {
		d.Reason = "The condition of rule " + string(s.rule) + " could not be evaluated, which counts as a match."
	}
	if s.policy != nil {
		d.Policy, d.Version, d.Digest, d.Author = s.policy.id, s.policy.version, s.policy.digest, s.policy.author
	}
	if s.effect != gate.RequireApproval {
		return d
	}
	a := tightened(s, all)
	if gated && s.weight != byBuiltin {
		a.Roles, a.Escalate = standard().Roles, nil
		d.Reason += " No rule names this kind of action, so the approval stays with the supervisors."
	}
	d.Approval = &a
	return d
}

// tightened answers the approval that s asks for, made as strict as any other
// statement asks. The answer shares nothing with the policies.
func tightened(s said, all []said) gate.Approval {
	a := *s.approval
	a.Roles = slices.Clone(a.Roles)
	for _, other := range all {
		if other.effect != gate.RequireApproval {
			continue
		}
		a.SeparationOfDuties = a.SeparationOfDuties || other.approval.SeparationOfDuties
		a.Risk = riskier(a.Risk, other.approval.Risk)
		if expiry(other.approval) < expiry(&a) {
			a.ExpiresIn = other.approval.ExpiresIn
		}
	}
	if a.Escalate == nil || after(*a.Escalate) >= expiry(&a) {
		a.Escalate = nil
		return a
	}
	escalate := *a.Escalate
	escalate.Roles = slices.Clone(escalate.Roles)
	a.Escalate = &escalate
	return a
}

// riskier answers the higher of two risks. None said is above low: what nobody
// called low is not.
func riskier(a, b string) string {
	order := []string{"low", "", "medium", "high", "critical"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// expiry is a.Expiry(), without the cost of failing to parse nothing.
func expiry(a *gate.Approval) time.Duration {
	if a.ExpiresIn == "" {
		return gate.DefaultExpiry
	}
	return a.Expiry()
}
