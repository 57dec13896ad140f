package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 70
)

func TestSizes(t *testing.T) {
	for _, s := range product(sources(t)) {
		if s.generated {
			continue
		}
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, at most %d are allowed", s.path, s.lines, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.positions.Position(f.End()).Line - s.positions.Position(f.Pos()).Line + 1
			if lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, at most %d are allowed", s.path, f.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	comment := map[string]bool{}
	for _, s := range sources(t) {
		if s.folder == "." || s.test && strings.HasSuffix(s.file.Name.Name, "_test") {
			continue
		}
		comment[s.folder] = comment[s.folder] || s.file.Doc != nil && len(strings.TrimSpace(s.file.Doc.Text())) > 20
	}
	for folder, ok := range comment {
		if !ok {
			t.Errorf("%s has no package comment that says what it is", folder)
		}
	}
}

// TestNoHiddenStart holds that nothing runs before main: no init functions.
func TestNoHiddenStart(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !s.generated {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}

// TestNoClockInDomain holds that time arrives in commands.
func TestNoClockInDomain(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, s := range product(sources(t)) {
		if !within(s.folder, "domain") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clock, sel.Sel.Name) {
					t.Errorf("%s asks the clock: time.%s", s.positions.Position(sel.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// documented lists the folders where every exported thing has a comment.
var documented = []string{"crypto", "internal/eventlog", "commands"}

func TestExportedIsDocumented(t *testing.T) {
	for _, s := range product(sources(t)) {
		if s.generated || !slices.ContainsFunc(documented, func(f string) bool { return within(s.folder, f) }) {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				ofErrors := d.Recv != nil && (d.Name.Name == "Error" || d.Name.Name == "Unwrap")
				if d.Name.IsExported() && d.Doc == nil && ofExported(d) && !ofErrors {
					t.Errorf("%s: %s has no comment", s.positions.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				checkDeclared(t, s, d)
			}
		}
	}
}

// ofExported reports whether a function is one, or a method of an exported type.
func ofExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	receiver := f.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return true
		}
	}
}

// checkDeclared wants a comment on a declaration, or on each name in its group.
func checkDeclared(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	if d.Tok == token.IMPORT {
		return
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s: %s has no comment", s.positions.Position(spec.Pos()), spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					t.Errorf("%s: %s has no comment", s.positions.Position(spec.Pos()), name.Name)
				}
			}
		}
	}
}

// TestNames holds the names that say nothing out of the code.
func TestNames(t *testing.T) {
	for _, s := range product(sources(t)) {
		if s.generated {
			continue
		}
		for _, d := range s.file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			for _, spec := range decl.Specs {
				name := spec.(*ast.TypeSpec).Name.Name
				for _, suffix := range []string{"Impl", "Manager", "Helper", "Util"} {
					if strings.HasSuffix(name, suffix) {
						t.Errorf("%s: %s ends in %s", s.positions.Position(spec.Pos()), name, suffix)
					}
				}
			}
		}
	}
}
