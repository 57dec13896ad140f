package policy

import (
	"slices"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// computedKeys lists the keys, of maps that are read or made, that an
// expression computes. Hashing one takes as long as its text, and CEL asks
// nobody before it does.
func computedKeys(tree *celast.AST) []celast.NavigableExpr {
	var keys []celast.NavigableExpr
	for _, e := range celast.MatchDescendants(celast.NavigateAST(tree), func(e celast.NavigableExpr) bool { return textual(e) }) {
		parent, ok := e.Parent()
		if !ok {
			continue
		}
		switch parent.Kind() {
		case celast.CallKind:
			call := parent.AsCall()
			if call.FunctionName() == operators.Index && call.Args()[1].ID() == e.ID() {
				keys = append(keys, e)
			}
		case celast.MapKind:
			if slices.ContainsFunc(parent.AsMap().Entries(), func(entry celast.EntryExpr) bool { return entry.AsMapEntry().Key().ID() == e.ID() }) {
				keys = append(keys, e)
			}
		}
	}
	return keys
}

// textual reports whether e can be a text that its author did not write.
func textual(e celast.NavigableExpr) bool {
	if e.Kind() == celast.LiteralKind {
		return false
	}
	kind := e.Type().Kind()
	return kind == types.StringKind || kind == types.DynKind || kind == types.AnyKind
}

// keys demands that no key is computed in a comprehension within another,
// where one long text would be hashed over and over.
type keys struct{}

// Name is what CEL calls this check.
func (keys) Name() string { return "clawoffice.keys" }

// Validate reports such keys.
func (keys) Validate(_ *cel.Env, _ cel.ValidatorConfig, tree *celast.AST, issues *cel.Issues) {
	for _, key := range computedKeys(tree) {
		nested := 0
		for e, ok := key.Parent(); ok; e, ok = e.Parent() {
			if e.Kind() == celast.ComprehensionKind {
				nested++
			}
		}
		if nested > 1 {
			issues.ReportErrorAtID(key.ID(), "a key can't be computed in a comprehension within another; use a literal")
		}
	}
}
