package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

// TestSourceWritesTheSamePolicy holds the editor's text to say what was stored.
func TestSourceWritesTheSamePolicy(t *testing.T) {
	want := somePolicy("<name> & \"more\"", 2)
	text, err := sourceOf(want)
	if err != nil {
		t.Fatal(err)
	}
	var got api.PolicyInput
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Rules, got.Rules); diff != "" {
		t.Errorf("rules (-stored +written):\n%s", diff)
	}
	if got.Workflow != want.Workflow || got.Default != want.Default || string(got.Mode) != string(want.Mode) {
		t.Errorf("head: %+v", got)
	}
	if !strings.Contains(text, "<name> & ") {
		t.Errorf("people read escapes: %s", text)
	}
}

func TestJSONFaults(t *testing.T) {
	for text, want := range map[string][2]int{
		`{}`: {0, 0}, "": {1, 1}, "{": {1, 2}, "{\n \"a\": x}": {2, 7}, "{}\n{}": {2, 1}, "{\"ä\": ]": {1, 7}, "[1,\n2,\n]": {3, 1},
	} {
		line, column, what := jsonFault(text)
		if [2]int{line, column} != want || (line > 0) != (what != "") {
			t.Errorf("%q: line %d, column %d, %q; want %v", text, line, column, what, want)
		}
	}
}

func TestLinesOfPointers(t *testing.T) {
	const text = "{\n\"a\": 1,\n\"b\": [\n  10,\n  {\"c/d\":\n    2}\n]}"
	for pointer, want := range map[string]int{"": 1, "/a": 2, "/b": 3, "/b/0": 4, "/b/1": 5, "/b/1/c~1d": 6, "/none": 1, "/b/9": 3} {
		if got := lineOf(text, pointer); got != want {
			t.Errorf("%q is in line %d, want %d", pointer, got, want)
		}
	}
}

// FuzzSource feeds the helpers of the editor what people may paste: they answer
// a line of the text and never panic.
func FuzzSource(f *testing.F) {
	f.Add(newPolicy, "/rules/0/when")
	f.Add("{\"a\": [1,", "/a/1")
	f.Add("\xff\n\n", "/")
	f.Fuzz(func(t *testing.T, text, pointer string) {
		lines := strings.Count(text, "\n") + 1
		line, column, what := jsonFault(text)
		if json.Valid([]byte(text)) != (line == 0) || line > lines || (line > 0) != (what != "" && column > 0) {
			t.Errorf("%q: line %d of %d, column %d, %q", text, line, lines, column, what)
		}
		if got := lineOf(text, pointer); got < 1 || got > lines {
			t.Errorf("%q in %q: line %d of %d", pointer, text, got, lines)
		}
		around(text, line)
	})
}

// FuzzDiff holds a comparison to contain both texts.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc", "a\nx\nc")
	f.Add("", "a")
	f.Add("a\n\n\nb\n", "b\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		d := diffLines(before, after)
		if before == after {
			if d != nil {
				t.Errorf("no difference is %v", d)
			}
			return
		}
		a, b := splitLines(before), splitLines(after)
		i, j := 0, 0
		for _, l := range d {
			switch l.Mark {
			case "…":
				for range l.Skipped {
					if a[i] != b[j] {
						t.Fatalf("line %d was skipped and differs", i)
					}
					i, j = i+1, j+1
				}
			case "=":
				if a[i] != l.Text || b[j] != l.Text || l.Before != i+1 || l.After != j+1 {
					t.Fatalf("%+v is not line %d and %d", l, i+1, j+1)
				}
				i, j = i+1, j+1
			case "-":
				if a[i] != l.Text || l.Before != i+1 {
					t.Fatalf("%+v is not line %d", l, i+1)
				}
				i++
			case "+":
				if b[j] != l.Text || l.After != j+1 {
					t.Fatalf("%+v is not line %d", l, j+1)
				}
				j++
			}
		}
		if i != len(a) || j != len(b) {
			t.Errorf("%d of %d and %d of %d lines are shown", i, len(a), j, len(b))
		}
	})
}

func TestDiffs(t *testing.T) {
	before := "a\nb\nc\nd\ne\nf\ng\nh\ni\nj"
	got := diffLines(before, strings.Replace(before, "f", "F", 1))
	want := []diffLine{{Mark: "…", Skipped: 2}, {"=", "c", 3, 3, 0}, {"=", "d", 4, 4, 0}, {"=", "e", 5, 5, 0}, {"-", "f", 6, 0, 0}, {"+", "F", 0, 6, 0},
		{"=", "g", 7, 7, 0}, {"=", "h", 8, 8, 0}, {"=", "i", 9, 9, 0}, {Mark: "…", Skipped: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	long := strings.Repeat("x\n", 3000)
	if d := diffLines(long+"1\n"+long, "2\n"+long+"y\n"+long); len(d) == 0 {
		t.Error("long texts are not compared")
	}
}
