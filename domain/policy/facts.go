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
	size    int  // what payForKeys pays for, once known
}

// ResolveName and Parent make facts what CEL calls an activation.
func (f *facts) ResolveName(name string) (any, bool) {
	switch name {
	case nameBudget:
		return &f.budget, true
	case nameParams:
		f.payForKeys()
		if f.params == nil {
			f.params = f.object(f.in.Params)
		}
		return f.params, true
	case nameContext:
		f.payForKeys()
		if f.context == nil {
			f.context = f.object(f.in.Context)
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
	if !f.keyed {
		return
	}
	if f.size == 0 {
		f.size = 1 + storedSize(f.in.Params) + storedSize(f.in.Context)
	}
	f.budget.spend(f.size / bytesPerStep)
}

// storedSize is how long a document is as it is recorded, so that a decision
// costs the same when it is made again from the record.
func storedSize(raw json.RawMessage) int {
	stored, err := json.Marshal(raw)
	if len(raw) == 0 || err != nil {
		return 0
	}
	return len(stored) - len("{}")
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
func (f *facts) object(raw json.RawMessage) any {
	members := map[string]any{}
	if len(raw) > 0 && json.Unmarshal(raw, &members) != nil {
		return types.WrapErr(errMalformed)
	}
	if members == nil { // the literal null
		members = map[string]any{}
	}
	return f.budget.inOrder(members)
}
