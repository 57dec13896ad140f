package policy

import (
	"errors"
	"regexp"
	"regexp/syntax"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// Limits of matches(). The time that a match takes is bounded by the product
// of the two, which is paid for in steps before it starts.
const (
	maxRegex   = 500      // instructions of a compiled pattern
	maxMatched = 64 << 10 // bytes of a text that is matched
)

var errLongText = errors.New("a text is too long for matches(); at most 64 KiB are matched")

// patterns demands that every pattern stands in the condition itself and is
// small once compiled. CEL has a limit of its own for this, which in the
// versions we know panics on counted repetitions such as [0-9]{4}.
type patterns struct{}

// Name is what CEL calls this check.
func (patterns) Name() string { return "clawoffice.patterns" }

// Validate reports each pattern that is not a literal, or too large.
func (patterns) Validate(_ *cel.Env, _ cel.ValidatorConfig, tree *celast.AST, issues *cel.Issues) {
	for _, e := range celast.MatchDescendants(celast.NavigateAST(tree), celast.FunctionMatcher(overloads.Matches)) {
		call := e.AsCall()
		args := call.Args()
		if len(args) == 0 {
			continue
		}
		pattern := args[len(args)-1]
		if pattern.Kind() != celast.LiteralKind {
			issues.ReportErrorAtID(pattern.ID(), "the pattern of matches() must be a literal")
			continue
		}
		text, ok := pattern.AsLiteral().Value().(string)
		if !ok {
			continue // the type check has reported it
		}
		if size, err := programSize(text); err == nil && size > maxRegex {
			issues.ReportErrorAtID(pattern.ID(), "the pattern takes %d steps; at most %d are allowed", size, maxRegex)
		}
	}
}

// programSize counts the instructions of a compiled pattern.
func programSize(pattern string) (int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}

// boundedMatches plans matches() with its pattern compiled once, refusing long
// texts: as a method and as a function.
func boundedMatches() cel.ProgramOption {
	plan := func(overload string) *interpreter.RegexOptimization {
		return &interpreter.RegexOptimization{Function: overloads.Matches, OverloadID: overload, RegexIndex: 1, Factory: planMatches}
	}
	return cel.OptimizeRegex(plan(overloads.MatchesString), plan(overloads.Matches))
}

func planMatches(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	size, err := programSize(pattern)
	if err != nil {
		return nil, err
	}
	return &metered{call, call.Args(), stepsPerCall + reading(call.Args()), func(b *budget, x, _ ref.Val) ref.Val {
		text, ok := x.(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(x)
		}
		if len(text) > maxMatched {
			return types.WrapErr(errLongText)
		}
		b.spend(size * (len(text) + 1))
		return types.Bool(compiled.MatchString(string(text)))
	}}, nil
}
