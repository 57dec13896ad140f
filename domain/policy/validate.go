package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Limits of what may be written.
const (
	MaxPolicies   = 500
	MaxRules      = 200 // per policy
	MaxActions    = 50  // per rule
	MaxApprovers  = 10  // the largest count
	MaxSandbox    = 16 << 10
	MaxPolicySize = 256 << 10 // as JSON
	MaxTotalSize  = 4 << 20   // of the policies that stand, as JSON
	maxRoles      = 20        // per approval
	maxReason     = 500       // bytes

	minDuration = time.Minute
	maxDuration = 720 * time.Hour
)

// wrong refuses a policy, pointing (as JSON Pointers do) at what is wrong.
func wrong(pointer, format string, args ...any) *domain.Error {
	return domain.Refuse(domain.Invalid, "invalid_policy", format, args...).With("pointer", pointer)
}

func valid(p Policy) error {
	if p.Workflow != "*" && !domain.ValidName(string(p.Workflow)) {
		return wrong("/workflow", "workflow is \"*\" or has 1 to 128 of the characters A-Z a-z 0-9 . _ : -")
	}
	if p.Mode != Enforce && p.Mode != Shadow {
		return wrong("/mode", "mode is \"enforce\" or \"shadow\"")
	}
	if !validEffect(p.Default) {
		return wrong("/default", "default is \"allow\", \"require_approval\" or \"deny\"")
	}
	if err := validSandbox(p.Sandbox); err != nil {
		return err
	}
	if len(p.Rules) > MaxRules {
		return wrong("/rules", "a policy has at most %d rules; this one has %d", MaxRules, len(p.Rules))
	}
	if sizeOfPolicy(p) > MaxPolicySize {
		return wrong("", "the policy takes more than %d bytes of JSON; split it", MaxPolicySize)
	}
	return validRules(p.Rules)
}

// sizeOfPolicy is the bytes that p takes as JSON, more than any limit where it
// has none.
func sizeOfPolicy(p Policy) int {
	text, err := json.Marshal(p)
	if err != nil {
		return math.MaxInt32
	}
	return len(text)
}

func validRules(rules []Rule) error {
	seen := map[domain.RuleID]bool{}
	for i, r := range rules {
		at := fmt.Sprintf("/rules/%d", i)
		if err := validRule(at, r); err != nil {
			return err
		}
		if seen[r.ID] {
			return wrong(at+"/id", "another rule of this policy has the id %s; ids are unique", r.ID).With("rule", r.ID)
		}
		seen[r.ID] = true
	}
	return validConditions(rules)
}

func validRule(at string, r Rule) error {
	if !domain.ValidName(string(r.ID)) || r.ID == ruleDefault || r.ID == ruleBuiltin {
		return wrong(at+"/id", "a rule's id has 1 to 128 of the characters A-Z a-z 0-9 . _ : -, and is not \"default\" or \"builtin\"")
	}
	if len(r.Actions) == 0 || len(r.Actions) > MaxActions {
		return wrong(at+"/actions", "a rule names 1 to %d kinds of action, or \"*\"", MaxActions).With("rule", r.ID)
	}
	for j, kind := range r.Actions {
		if kind != "*" && !domain.ValidName(string(kind)) {
			return wrong(fmt.Sprintf("%s/actions/%d", at, j),
				"a kind of action is \"*\" or has 1 to 128 of the characters A-Z a-z 0-9 . _ : -").With("rule", r.ID)
		}
	}
	if !validEffect(r.Effect) {
		return wrong(at+"/effect", "effect is \"allow\", \"require_approval\" or \"deny\"").With("rule", r.ID)
	}
	if len(r.Reason) > maxReason || !utf8.ValidString(r.Reason) {
		return wrong(at+"/reason", "a reason is UTF-8 of at most %d bytes", maxReason).With("rule", r.ID)
	}
	if r.Approval == nil {
		return nil
	}
	if r.Effect != gate.RequireApproval {
		return wrong(at+"/approval", "only a rule with the effect require_approval has an approval; remove it or change the effect").With("rule", r.ID)
	}
	return validApproval(at+"/approval", r.ID, *r.Approval)
}

func validApproval(at string, rule domain.RuleID, a gate.Approval) error {
	if a.Count < 1 || a.Count > MaxApprovers {
		return wrong(at+"/count", "count is 1 to %d", MaxApprovers).With("rule", rule)
	}
	if err := validRoles(at+"/roles", rule, a.Roles); err != nil {
		return err
	}
	if !slices.Contains([]string{"", "low", "medium", "high", "critical"}, a.Risk) {
		return wrong(at+"/risk", "risk is low, medium, high or critical").With("rule", rule)
	}
	if a.ExpiresIn != "" && !validDuration(a.ExpiresIn) {
		return wrong(at+"/expires_in", "expires_in is a duration from 1m to 720h, such as 30m or 24h").With("rule", rule)
	}
	if a.Escalate == nil {
		return nil
	}
	if !validDuration(a.Escalate.After) || after(*a.Escalate) >= a.Expiry() {
		return wrong(at+"/escalate/after", "escalate.after is a duration from 1m, shorter than expires_in (24h unless given)").With("rule", rule)
	}
	return validRoles(at+"/escalate/roles", rule, a.Escalate.Roles)
}

func validRoles(at string, rule domain.RuleID, roles []domain.RoleName) error {
	if len(roles) > maxRoles {
		return wrong(at, "at most %d roles may be named", maxRoles).With("rule", rule)
	}
	for _, role := range roles {
		if !domain.ValidName(string(role)) {
			return wrong(at, "a role's name has 1 to 128 of the characters A-Z a-z 0-9 . _ : -").With("rule", rule)
		}
	}
	return nil
}

func validEffect(e gate.Effect) bool {
	return e == gate.Allow || e == gate.RequireApproval || e == gate.Deny
}

func validDuration(s string) bool {
	d, err := time.ParseDuration(s)
	return err == nil && d >= minDuration && d <= maxDuration
}

// after is when an escalation comes; 0 when that is not a duration.
func after(e gate.Escalation) time.Duration {
	d, err := time.ParseDuration(e.After)
	if err != nil {
		return 0
	}
	return d
}

// validSandbox demands a JSON object; what it says is for whoever runs agents.
func validSandbox(sandbox json.RawMessage) error {
	if len(sandbox) == 0 {
		return nil
	}
	if len(sandbox) > MaxSandbox {
		return wrong("/sandbox", "a sandbox takes at most %d bytes", MaxSandbox)
	}
	if !json.Valid(sandbox) || !bytes.HasPrefix(bytes.TrimSpace(sandbox), []byte("{")) {
		return wrong("/sandbox", "a sandbox is a JSON object")
	}
	return nil
}

// validConditions type-checks every condition.
func validConditions(rules []Rule) error {
	conditional := func(r Rule) bool { return r.When != "" }
	if !slices.ContainsFunc(rules, conditional) {
		return nil
	}
	language, err := newLanguage()
	if err != nil {
		return err
	}
	for i, r := range rules {
		if r.When == "" {
			continue
		}
		if _, err := language.compile(r.When); err != nil {
			return badCondition(i, r.ID, err)
		}
	}
	return nil
}

func badCondition(i int, rule domain.RuleID, err error) error {
	var f *faulty
	if !errors.As(err, &f) {
		return fmt.Errorf("checking the condition of rule %s: %w", rule, err)
	}
	return domain.Refuse(domain.Invalid, "invalid_condition", "the condition of rule %s is wrong at %v", rule, f).
		With("pointer", fmt.Sprintf("/rules/%d/when", i)).With("rule", rule).With("line", f.line).With("column", f.column)
}
