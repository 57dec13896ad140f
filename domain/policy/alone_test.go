package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/policy"
)

func TestConditionAlone(t *testing.T) {
	var cache policy.Cache
	in := policy.Input{Workflow: "invoices", Kind: "communication.send", Params: json.RawMessage(`{"amount":12}`)}
	for name, test := range map[string]struct {
		text    string
		held    bool
		trouble bool
	}{
		"none":                  {"", true, false},
		"that holds":            {`action.params.amount < 20.0 && workflow == "invoices"`, true, false},
		"that does not":         {`action.params.amount > 20.0`, false, false},
		"that can't be told":    {`action.params.missing == "x"`, false, true},
		"of the kind of action": {`action.kind == "communication.send"`, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Condition(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if held, trouble := policy.NewTrial(in).Holds(c); held != test.held || (trouble != "") != test.trouble {
				t.Errorf("held %v, trouble %q", held, trouble)
			}
		})
	}
}

// The conditions of a trial share the work of one decision, so that however many
// there are, it ends.
func TestTrialIsBounded(t *testing.T) {
	heavy, err := new(policy.Cache).Condition(`action.params.list.all(x, action.params.list.all(y, y >= 0.0))`)
	if err != nil {
		t.Fatal(err)
	}
	light, err := new(policy.Cache).Condition(`workflow == ""`)
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Repeat("1,", 3000) + "1"
	trial := policy.NewTrial(policy.Input{Params: json.RawMessage(`{"list":[` + list + `]}`)})
	if held, trouble := trial.Holds(light); !held || trouble != "" {
		t.Errorf("a light condition: %v, %s", held, trouble)
	}
	for range policy.DecisionSteps / policy.ConditionSteps {
		if held, trouble := trial.Holds(heavy); held || trouble == "" {
			t.Fatal("a heavy condition was not cut off")
		}
	}
	if held, trouble := trial.Holds(light); held || trouble == "" {
		t.Error("a condition was evaluated when no work was left")
	}
}

func TestWrongConditionAlone(t *testing.T) {
	for name, test := range map[string]struct {
		text         string
		line, column int
	}{
		"of another type": {`action.kind`, 1, 1},
		"misspelt":        {"workflow == \"a\" &&\n  actor.name == \"b\"", 2, 3},
		"too long":        {strings.Repeat(" ", policy.MaxCondition) + "true", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := new(policy.Cache).Condition(test.text)
			var refusal *domain.Error
			if !errors.As(err, &refusal) || refusal.Kind != domain.Invalid || refusal.Code != "invalid_condition" {
				t.Fatalf("got %v", err)
			}
			if refusal.Facts["line"] != test.line || refusal.Facts["column"] != test.column {
				t.Errorf("at %v:%v, want %d:%d: %v", refusal.Facts["line"], refusal.Facts["column"], test.line, test.column, refusal)
			}
		})
	}
}
