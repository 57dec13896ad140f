package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
)

// Limits of one condition.
const (
	MaxCondition = 4096 // bytes
	maxNodes     = 1000 // of the parsed expression
	maxDepth     = 48   // of the parsed expression
	maxNesting   = 2    // of comprehensions
)

// language is the CEL that conditions are written in. It is safe for
// concurrent use.
type language struct {
	env   *cel.Env
	meter meter
}

func newLanguage() (language, error) {
	facts := cel.MapType(cel.StringType, cel.DynType)
	env, err := cel.NewEnv(
		cel.Variable(nameKind, cel.StringType),
		cel.Variable(nameParams, facts),
		cel.Variable(nameActorKind, cel.StringType),
		cel.Variable(nameActorID, cel.StringType),
		cel.Variable(nameActorRoles, cel.ListType(cel.StringType)),
		cel.Variable(nameWorkflow, cel.StringType),
		cel.Variable(nameContext, facts),
		cel.Variable(nameNow, cel.TimestampType),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxCondition),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxDepth),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(), patterns{}, keys{}, cel.ValidateComprehensionNestingLimit(maxNesting)),
	)
	if err != nil {
		return language{}, fmt.Errorf("preparing the language of conditions: %w", err)
	}
	meter, err := newMeter(env)
	if err != nil {
		return language{}, fmt.Errorf("preparing the functions of conditions: %w", err)
	}
	return language{env, meter}, nil
}

// faulty says where and why an expression is not a condition. The message may
// quote the expression, never what it is evaluated on.
type faulty struct {
	line, column int // from 1
	message      string
}

func (f *faulty) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", f.line, f.column, f.message)
}

// condition is a compiled expression, safe for concurrent use.
type condition struct {
	program cel.Program
	info    *celast.SourceInfo
	keyed   bool // a key in it is computed
}

// compile checks an expression and plans it, or answers a *faulty. A panic of
// CEL's is a fault of the expression: other conditions are none the worse.
func (l language) compile(expression string) (_ *condition, err error) {
	defer func() {
		if recover() != nil {
			err = &faulty{1, 1, "the condition can't be compiled; write it differently"}
		}
	}()
	tree, err := l.check(expression)
	if err != nil {
		return nil, err
	}
	return l.plan(tree)
}

// check parses an expression and checks its types.
func (l language) check(expression string) (*cel.Ast, error) {
	if len(expression) > MaxCondition {
		return nil, &faulty{1, 1, fmt.Sprintf("the condition has %d bytes; at most %d are allowed", len(expression), MaxCondition)}
	}
	tree, issues := l.env.Compile(expression)
	if found := issues.Errors(); len(found) > 0 {
		line, column := max(1, found[0].Location.Line()), max(0, found[0].Location.Column())+1
		return nil, &faulty{line, column, found[0].Message}
	}
	if !tree.OutputType().IsExactType(cel.BoolType) {
		return nil, &faulty{1, 1, fmt.Sprintf("the condition yields %s, not bool; compare it with something, as in `x == true`", tree.OutputType())}
	}
	return tree, nil
}

// plan makes a program of a checked expression.
func (l language) plan(tree *cel.Ast) (*condition, error) {
	program, err := l.env.Program(tree, cel.CustomDecoratorV2(l.meter.decorate), cel.EvalOptions(cel.OptOptimize), boundedMatches())
	if err != nil {
		return nil, &faulty{1, 1, "the condition can't be planned: " + err.Error()}
	}
	return &condition{program, tree.NativeRep().SourceInfo(), len(computedKeys(tree.NativeRep())) > 0}, nil
}

// holds evaluates c; a nil condition always holds. When it can't be evaluated,
// trouble says why, without content.
func (c *condition) holds(f *facts) (held bool, trouble string) {
	if c == nil {
		return true, ""
	}
	if !f.budget.begin() {
		return false, "the conditions before this one took all the work that one decision may take"
	}
	f.keyed = c.keyed
	value, _, err := c.program.Eval(f)
	if err != nil {
		return false, c.explain(err)
	}
	held, ok := value.Value().(bool)
	if !ok {
		return false, "the condition did not yield a bool"
	}
	return held, ""
}

// explain puts an error of CEL in words of our own, because CEL's may quote
// values of the action. This is the one place that looks at its text.
func (c *condition) explain(err error) string {
	var cut interpreter.EvalCancelledError
	if errors.As(err, &cut) {
		return "the evaluation would cost more than one condition, or all conditions of a decision, may"
	}
	where := ""
	var at *types.Err
	if errors.As(err, &at) {
		if l := c.info.GetStartLocation(at.NodeID()); l.Line() > 0 {
			where = fmt.Sprintf("line %d, column %d: ", l.Line(), l.Column()+1)
		}
	}
	text := err.Error()
	switch {
	case errors.Is(err, errMalformed):
		return where + errMalformed.Error()
	case errors.Is(err, errLongText):
		return where + errLongText.Error()
	case strings.HasPrefix(text, "no such key"), strings.HasPrefix(text, "no such attribute"):
		return where + "a member that the condition reads is missing; test for it with has()"
	case strings.HasPrefix(text, "no such overload"), strings.HasPrefix(text, "found no matching overload"):
		return where + "values of types that do not go together; numbers are doubles, so calculate with 2.0 rather than 2"
	case strings.HasPrefix(text, "index out of bounds"):
		return where + "an index lies outside its list"
	case strings.HasPrefix(text, "divi"), strings.HasPrefix(text, "modulus"):
		return where + "a division by zero"
	}
	return where + "the condition can't be evaluated on these values"
}
