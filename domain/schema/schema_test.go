package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain/schema"
)

// -update freezes the samples of new names and rewrites what the samples are
// read as now. It never changes a sample that is frozen.
var update = flag.Bool("update", false, "freeze new samples, rewrite what samples are read as")

// TestNamesMatchTables holds the list and the code equal: each name that an
// event answers, or that a decode table reads, is listed, and each listed fact
// is decoded.
func TestNamesMatchTables(t *testing.T) {
	listed := map[string]schema.Class{}
	for _, n := range schema.Names() {
		if _, twice := listed[n.Name]; twice {
			t.Errorf("%s is listed twice", n.Name)
		}
		if n.Why == "" {
			t.Errorf("%s is listed without saying why", n.Name)
		}
		listed[n.Name] = n.Class
	}
	for _, name := range namesInCode(t) {
		if class := listed[name]; class != schema.Fact && (class != schema.Bookkeeping || !strings.HasPrefix(name, "lease.")) {
			t.Errorf("%s is in the code but not among the facts listed: append it to names", name)
		}
	}
	for name, class := range listed {
		_, err := schema.Decode(name, []byte(`{}`))
		if class == schema.Fact && err != nil {
			t.Errorf("the fact %s is not decoded: %v", name, err)
		}
		if class != schema.Fact && !errors.Is(err, schema.ErrNotFact) {
			t.Errorf("decoding %s, which is %s: error %v, want ErrNotFact", name, class, err)
		}
	}
}

// namesInCode finds the literals that functions named EventType and Decode of
// the aggregates hold.
func namesInCode(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../schema/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && (f.Name.Name == "EventType" || f.Name.Name == "Decode") {
				names = append(names, storedNames(f)...)
			}
		}
	}
	if len(names) < 84 { // 42 facts, each in an EventType and in a Decode
		t.Fatalf("found only %d names in the code: the search is wrong", len(names))
	}
	return names
}

func storedNames(f *ast.FuncDecl) []string {
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(s, ".v") {
				names = append(names, s)
			}
		}
		return true
	})
	return names
}

// TestNamesOnlyGrow compares the list with the frozen one.
func TestNamesOnlyGrow(t *testing.T) {
	var now []string
	for _, n := range schema.Names() {
		now = append(now, n.Name+" "+string(n.Class))
	}
	const path = "testdata/names.txt"
	frozen := strings.Split(strings.TrimSuffix(read(t, path), "\n"), "\n")
	if frozen[0] == "" {
		frozen = nil
	}
	if len(now) < len(frozen) || !slices.Equal(frozen, now[:len(frozen)]) {
		t.Fatalf("names changed that were stored (-frozen +now):\n%s", cmp.Diff(frozen, now))
	}
	if *update {
		write(t, path, strings.Join(now, "\n")+"\n")
	} else if len(now) > len(frozen) {
		t.Errorf("%d new names are not frozen: run go test with -update", len(now)-len(frozen))
	}
}

func TestUnknownNames(t *testing.T) {
	for _, name := range []string{"", "budget", "budget.reserved", "budget.reserved.v2", "other.made.v1", "workspace.x.v1",
		"policy.x.v1", "execution.x.v1", "approval.x.v1", "system.x.v1"} {
		if _, err := schema.Decode(name, []byte(`{}`)); !errors.Is(err, schema.ErrUnknownEvent) {
			t.Errorf("Decode(%q): error %v, want ErrUnknownEvent", name, err)
		}
		if class, ok := schema.Kind(name); ok {
			t.Errorf("Kind(%q) = %s, want none", name, class)
		}
	}
}

func TestDamagedData(t *testing.T) {
	for _, data := range []string{"", "{", `{"at":5}`, `[]`, `{} {}`} {
		if _, err := schema.Decode("budget.defined.v1", []byte(data)); err == nil || errors.Is(err, schema.ErrUnknownEvent) {
			t.Errorf("Decode of %q: error %v, want one about the data", data, err)
		}
	}
}

func TestKind(t *testing.T) {
	for name, want := range map[string]schema.Class{"budget.reserved.v1": schema.Fact, "access.denied.v1": schema.Fact,
		"content.prompt.v1": schema.Content, "key.created.v1": schema.Bookkeeping, "system.check.v1": schema.Bookkeeping} {
		if got, ok := schema.Kind(name); !ok || got != want {
			t.Errorf("Kind(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
}

// FuzzDecode looks for names and data that make a decoder panic, and for facts
// that can't be written back.
func FuzzDecode(f *testing.F) {
	for _, n := range schema.Names() {
		if data, err := os.ReadFile(sample(n.Name)); err == nil {
			f.Add(n.Name, data)
		}
		f.Add(n.Name, []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := schema.Decode(name, data)
		if err != nil {
			return
		}
		if event.EventType() != name {
			t.Fatalf("%q was decoded as %q", name, event.EventType())
		}
		once := encode(t, event)
		again, err := schema.Decode(name, once)
		if err != nil {
			t.Fatalf("%q can't be read back from what it was written as: %v\n%s", name, err, once)
		}
		if twice := encode(t, again); !bytes.Equal(once, twice) {
			t.Fatalf("%q changes each time it is written:\n%s\n%s", name, once, twice)
		}
	})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func sample(name string) string { return "testdata/samples/" + name + ".json" }

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whatever else stands where an event should is refused, under every name: null
// in particular, which JSON readers take for an empty object.
func TestAnEventIsAnObject(t *testing.T) {
	for _, n := range schema.Names() {
		if n.Class != schema.Fact {
			continue
		}
		for _, data := range []string{"null", " null", "[]", "1", `"x"`, ""} {
			if e, err := schema.Decode(n.Name, []byte(data)); err == nil {
				t.Errorf("%s of %q answered %v", n.Name, data, e)
			}
		}
	}
}
