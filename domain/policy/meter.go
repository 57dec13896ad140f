package policy

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// CEL can count the cost of an evaluation, but only after the fact, slowly,
// and for many functions far below what they take: copying a text or comparing
// two documents is one unit to it. So every step of a plan pays here for
// itself, from the decision's budget, before it is taken.

// meter makes the steps of a plan pay. It holds the functions that conditions
// may call, by their names.
type meter map[string]*functions.Overload

// newMeter collects the functions of an environment. The one that has the
// function's own name chooses between the others by the types of its arguments.
func newMeter(env *cel.Env) (meter, error) {
	m := meter{}
	for name, declared := range env.Functions() {
		bindings, err := declared.Bindings()
		if err != nil {
			return nil, fmt.Errorf("finding the function %s: %w", name, err)
		}
		for _, binding := range bindings {
			if binding.Operator == name {
				m[name] = binding
			}
		}
	}
	return m, nil
}

// decorate wraps a step of a plan. Attributes and constants are paid for by
// the calls that use them, because later steps look into them.
func (m meter) decorate(step interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch step := step.(type) {
	case interpreter.InterpretableConst, interpreter.InterpretableAttribute:
		return step, nil
	case interpreter.InterpretableConstructor:
		if step.Type() == types.MapType {
			return &made{paid{step, reading(step.InitVals())}}, nil
		}
		if constant(step.InitVals()) { // becomes a constant itself
			return step, nil
		}
		return &paid{step, reading(step.InitVals())}, nil
	case interpreter.InterpretableCall:
		return m.call(step), nil
	}
	return &paid{step, stepsPerCall}, nil
}

func (m meter) call(call interpreter.InterpretableCall) interpreter.InterpretableV2 {
	args, name := call.Args(), call.Function()
	steps := stepsPerCall + reading(args)
	if zoned(name) && len(args) == 2 {
		steps += stepsPerZone
	}
	cost := price(name)
	function := m[name]
	switch {
	case name == operators.Equals:
		return &metered{call, args, steps, (*budget).equal}
	case name == operators.NotEquals:
		return &metered{call, args, steps, (*budget).differ}
	case name == operators.In:
		return &metered{call, args, steps, (*budget).contains}
	case cost == nil || function == nil || len(args) == 0 || len(args) > 2:
		return &paidCall{call, steps}
	}
	return &metered{call, args, steps, func(b *budget, x, y ref.Val) ref.Val {
		b.spend(cost(sizeOf(x), sizeOf(y)))
		return invoke(function, x, y)
	}}
}

// invoke calls a function of one argument, or of two when y is one.
func invoke(f *functions.Overload, x, y ref.Val) ref.Val {
	switch {
	case f.OperandTrait != 0 && !x.Type().HasTrait(f.OperandTrait):
		return types.MaybeNoSuchOverloadErr(x)
	case y == nil && f.Unary != nil:
		return f.Unary(x)
	case y != nil && f.Binary != nil:
		return f.Binary(x, y)
	case f.Function == nil:
		return types.MaybeNoSuchOverloadErr(x)
	case y == nil:
		return f.Function(x)
	}
	return f.Function(x, y)
}

// constant reports whether all are constants.
func constant(args []interpreter.InterpretableV2) bool {
	for _, arg := range args {
		if _, ok := arg.(interpreter.InterpretableConst); !ok {
			return false
		}
	}
	return true
}

// reading is the price of having arguments: every member on the way to one.
func reading(args []interpreter.InterpretableV2) int {
	steps := 0
	for _, arg := range args {
		steps += stepsPerValue
		if attribute, ok := arg.(interpreter.InterpretableAttribute); ok {
			if named, ok := attribute.Attr().(interpreter.NamespacedAttribute); ok {
				steps += stepsPerValue * len(named.Qualifiers())
			}
		}
	}
	return steps
}

// price is what a function takes on values of these sizes, nil where it does
// not matter how large they are.
func price(function string) func(x, y int) int {
	switch function {
	case overloads.TypeConvertInt, overloads.TypeConvertUint, overloads.TypeConvertDouble, overloads.TypeConvertBool,
		overloads.TypeConvertTimestamp, overloads.TypeConvertDuration:
		return func(x, _ int) int { return x * stepsPerParsed }
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return func(x, y int) int { return min(x, y) / bytesPerStep }
	case overloads.Size, overloads.StartsWith, overloads.EndsWith:
		return func(x, y int) int { return (x + y) / bytesPerStep }
	case operators.Add, overloads.TypeConvertString, overloads.TypeConvertBytes:
		return func(x, y int) int { return (x + y) / bytesPerCopy }
	case overloads.Contains:
		return func(x, y int) int { return (x + y) / bytesPerSought }
	}
	return nil
}

// zoned reports whether a function's second argument names a time zone.
func zoned(function string) bool {
	switch function {
	case overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDayOfMonth,
		overloads.TimeGetDate, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
		overloads.TimeGetSeconds, overloads.TimeGetMilliseconds:
		return true
	}
	return false
}

// sizeOf is the bytes of a text, 0 of anything else.
func sizeOf(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	}
	return 0
}

// paid is a step with a fixed price.
type paid struct {
	interpreter.InterpretableV2
	steps int
}

// Eval is Exec, for callers without a frame.
func (p *paid) Eval(vars interpreter.Activation) ref.Val { return p.Exec(interpreter.AsFrame(vars)) }

// Exec pays first.
func (p *paid) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	budgetOf(frame).spend(p.steps)
	return p.InterpretableV2.Exec(frame)
}

// paidCall is a call with a fixed price.
type paidCall struct {
	interpreter.InterpretableCall
	steps int
}

// Eval is Exec, for callers without a frame.
func (p *paidCall) Eval(vars interpreter.Activation) ref.Val {
	return p.Exec(interpreter.AsFrame(vars))
}

// Exec pays first.
func (p *paidCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	budgetOf(frame).spend(p.steps)
	return p.InterpretableCall.Exec(frame)
}

// metered is a call of one or two arguments whose price depends on them.
type metered struct {
	interpreter.InterpretableCall // what it stands for
	args                          []interpreter.InterpretableV2
	steps                         int                                   // beside what apply pays
	apply                         func(b *budget, x, y ref.Val) ref.Val // y is nil for one argument
}

// OverloadID is none of CEL's, so that no optimisation takes the call away.
func (m *metered) OverloadID() string { return "metered" }

// Args are evaluated in this order.
func (m *metered) Args() []interpreter.InterpretableV2 { return m.args }

// Eval is Exec, for callers without a frame.
func (m *metered) Eval(vars interpreter.Activation) ref.Val { return m.Exec(interpreter.AsFrame(vars)) }

// Exec evaluates the arguments and then applies the function.
func (m *metered) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	var values [2]ref.Val
	for i, arg := range m.args {
		values[i] = arg.Exec(frame)
		if types.IsUnknownOrError(values[i]) {
			return values[i]
		}
	}
	b := budgetOf(frame)
	b.spend(m.steps)
	return types.LabelErrNode(m.ID(), m.apply(b, values[0], values[1]))
}

// budgetOf finds the budget of the decision, nil while planning.
func budgetOf(vars interpreter.Activation) *budget {
	found, _ := vars.ResolveName(nameBudget)
	b, _ := found.(*budget)
	return b
}
