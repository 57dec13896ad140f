package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/clawoffice/ledger"

// source is one Go file of the project.
type source struct {
	path      string // from the project's root, with slashes
	folder    string // of path; "." for the root
	file      *ast.File
	lines     int
	test      bool
	generated bool
	positions *token.FileSet
}

// imported is one import of a file.
type imported struct {
	name string // as written before the path, "" if nothing
	path string
	own  string // folder in the project, "" for anything else
}

func (s source) imports(t *testing.T) []imported {
	t.Helper()
	var list []imported
	for _, spec := range s.file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("%s: import %s: %v", s.path, spec.Path.Value, err)
		}
		i := imported{path: name}
		if spec.Name != nil {
			i.name = spec.Name.Name
		}
		if own, ok := strings.CutPrefix(name, module+"/"); ok {
			i.own = own
		}
		list = append(list, i)
	}
	return list
}

// sources parses the whole project, tests included.
func sources(t *testing.T) []source {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || base == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) == ".go" {
			all = append(all, parse(t, root, name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d Go files found below %s", len(all), root)
	}
	return all
}

func parse(t *testing.T, root, name string) source {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		t.Fatal(err)
	}
	relative = filepath.ToSlash(relative)
	return source{path: relative, folder: path.Dir(relative), file: file, lines: strings.Count(string(text), "\n"),
		test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(file), positions: positions}
}

// product leaves out tests, and folders that only tests use.
func product(all []source) []source {
	var list []source
	for _, s := range all {
		if !s.test && !testHelper(s.folder) {
			list = append(list, s)
		}
	}
	return list
}

// testHelper reports whether a folder is for tests only, as its name says.
func testHelper(folder string) bool {
	for part := range strings.SplitSeq(folder, "/") {
		if strings.HasSuffix(part, "test") {
			return true
		}
	}
	return false
}

// within reports whether a folder is root or below it.
func within(folder, root string) bool { return folder == root || strings.HasPrefix(folder, root+"/") }
