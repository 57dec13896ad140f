package http

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpecificationIsValid(t *testing.T) {
	doc, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	ops, err := operations(doc)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, o := range ops {
		if seen[o.id] {
			t.Errorf("operationId %s occurs twice", o.id)
		}
		seen[o.id] = true
		if !o.rule.open && o.rule.text == "" {
			t.Errorf("%s has no rule", o.id)
		}
	}
}

// TestGeneratedCodeIsCurrent runs the generator and compares. The generator is
// a tool, not a dependency; without it in the path the test can only skip.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	tool, err := exec.LookPath("oapi-codegen")
	if err != nil {
		if tool, err = exec.LookPath(filepath.Join(os.Getenv("HOME"), "bin", "oapi-codegen")); err != nil {
			t.Skip("oapi-codegen v2.8.2 is not in PATH; make generate-check runs it through go run")
		}
	}
	for _, name := range []string{"types", "server", "client"} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), name+".gen.go")
			config, err := os.ReadFile(filepath.Join("api", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			elsewhere := filepath.Join(t.TempDir(), "config.yaml")
			moved := strings.Replace(string(config), "output: "+name+".gen.go", "output: "+out, 1)
			if err := os.WriteFile(elsewhere, []byte(moved), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(tool, "-config", elsewhere, "../openapi.yaml")
			cmd.Dir = "api"
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			want, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			have, err := os.ReadFile(filepath.Join("api", name+".gen.go"))
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != string(have) {
				t.Errorf("api/%s.gen.go does not follow openapi.yaml; run make generate\n%s", name, cut(cmp.Diff(string(have), string(want))))
			}
		})
	}
}

// TestProblemCodesAreReal: a code that the specification promises must be in
// the source of whoever refuses.
func TestProblemCodesAreReal(t *testing.T) {
	ops, err := specOperations()
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, dir := range []string{"../domain", "../commands", "."} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "docs_view.go" {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range docsCodes(ops) {
		if !strings.Contains(source.String(), `"`+c.Code+`"`) {
			t.Errorf("nobody answers %s, which %v promise", c.Code, c.Operations)
		}
	}
}
