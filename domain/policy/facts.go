package policy

import (
	"encoding/json"
	"errors"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
)

// The names that conditions see. They are variables with dots in their names
// rather than members of maps, so that a misspelt one is found when written.
const (
	nameKind       = "action.kind"
	nameParams     = "action.params"
	nameActorKind  = "actor.kind"
	nameActorID    = "actor.id"
	nameActorRoles = "actor.roles"
	nameWorkflow   = "workflow"
	nameContext    = "context"
	nameNow        = "now"

	nameBudget = "\x00budget" // for the meter; no expression can say it
)

var errMalformed = errors.New("params or context is not a JSON object")

// facts gives an Input to conditions. It reads params and context only when
// one asks, and once for all of them; it serves one evaluation at a time.
type facts struct {
	in      *Input
	params  any
	context any
	roles   []string
	budget  budget
	keyed   bool // the condition at hand computes keys
}

// ResolveName and Parent make facts what CEL calls an activation.
func (f *facts) ResolveName(name string) (any, bool) {
	switch name {
	case nameBudget:
		return &f.budget, true
	case nameParams:
		f.payForKeys()
		if f.params == nil {
			f.params = object(f.in.Params)
		}
		return f.params, true
	case nameContext:
		f.payForKeys()
		if f.context == nil {
			f.context = object(f.in.Context)
		}
		return f.context, true
	case nameKind:
		return string(f.in.Kind), true
	case nameActorKind:
		return string(f.in.Actor.Kind), true
	case nameActorID:
		return f.in.Actor.ID, true
	case nameActorRoles:
		return f.roleNames(), true
	case nameWorkflow:
		return string(f.in.Workflow), true
	case nameNow:
		return f.in.Now.UTC(), true
	}
	return nil, false
}

// payForKeys pays for hashing what is read as if it were a key.
func (f *facts) payForKeys() {
	if f.keyed {
		f.budget.spend((len(f.in.Params) + len(f.in.Context)) / bytesPerStep)
	}
}

// Parent is nil: there is nothing beyond an Input.
func (*facts) Parent() interpreter.Activation { return nil }

func (f *facts) roleNames() []string {
	if f.roles == nil {
		f.roles = make([]string, 0, len(f.in.Roles))
		for _, role := range f.in.Roles {
			f.roles = append(f.roles, string(role))
		}
	}
	return f.roles
}

// object reads a JSON object, none for nothing, or answers an error value.
func object(raw json.RawMessage) any {
	if len(raw) == 0 {
		return map[string]any{}
	}
	members := map[string]any{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return types.WrapErr(errMalformed)
	}
	if members == nil { // the literal null
		return map[string]any{}
	}
	return members
}
