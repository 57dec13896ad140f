package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// CEL walks a map in Go's order, which is another one each time: which member
// a condition stops at, what that costs and which error it meets would differ
// when a decision is made again. So every map that a condition can walk is one
// of these.

// ordered is a map whose keys come in order. It serves one evaluation.
type ordered struct {
	traits.Mapper
	budget *budget // pays for putting the keys in order; nil for those that an expression makes
	keys   traits.Lister
}

// Iterator walks the keys in order. Putting them in order is paid for once.
func (o *ordered) Iterator() traits.Iterator {
	if o.keys == nil {
		size, _ := o.Size().(types.Int)
		o.budget.spend(int(size) * stepsPerKey)
		keys := make([]ref.Val, 0, size)
		for it := o.Mapper.Iterator(); it.HasNext() == types.True; {
			keys = append(keys, it.Next())
		}
		slices.SortFunc(keys, compareKeys)
		o.keys = types.NewRefValList(types.DefaultTypeAdapter, keys)
	}
	return o.keys.Iterator()
}

// compareKeys orders keys by their types and then by themselves.
func compareKeys(x, y ref.Val) int {
	if a, ok := x.(types.String); ok {
		if b, ok := y.(types.String); ok {
			return strings.Compare(string(a), string(b))
		}
	}
	if by := strings.Compare(x.Type().TypeName(), y.Type().TypeName()); by != 0 {
		return by
	}
	if a, ok := x.(traits.Comparer); ok {
		order, _ := a.Compare(y).(types.Int)
		return cmp.Compare(order, 0)
	}
	return 0
}

// inOrder makes what was read from JSON a value whose maps are ordered. Lists
// are changed in place.
func (b *budget) inOrder(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = b.inOrder(member)
		}
		return &ordered{Mapper: types.NewStringInterfaceMap(types.DefaultTypeAdapter, v), budget: b}
	case []any:
		for i, member := range v {
			v[i] = b.inOrder(member)
		}
	}
	return v
}

// made is a step that makes a map.
type made struct{ paid }

// Eval is Exec, for callers without a frame.
func (m *made) Eval(vars interpreter.Activation) ref.Val { return m.Exec(interpreter.AsFrame(vars)) }

// Exec makes the map and orders it.
func (m *made) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := m.paid.Exec(frame)
	if mapper, ok := v.(traits.Mapper); ok {
		return &ordered{Mapper: mapper}
	}
	return v
}
