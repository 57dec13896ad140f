package chrig

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/google/go-cmp/cmp"
)

func TestParseInsert(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       insertion
		ok         bool
	}{
		{"a table", "INSERT INTO t", insertion{into: "INSERT INTO t", table: "t"}, true},
		{"lower case, spaces, an end", " insert\n into\ttable t format Native ; \n", insertion{into: " insert\n into\ttable t", table: "t", format: "Native"}, true},
		{"a database", "INSERT INTO d.t VALUES", insertion{into: "INSERT INTO d.t", table: "d.t"}, true},
		{"quotes", "INSERT INTO `d b`.\"t.\"\"x\" (a, `b,)\\`;`, \"c\", n.x) FORMAT CSV",
			insertion{into: "INSERT INTO `d b`.\"t.\"\"x\" (a, `b,)\\`;`, \"c\", n.x)", table: "`d b`.\"t.\"\"x\"", columns: []string{"a", "b,)`;", "c", "n.x"}, format: "CSV"}, true},
		{"no spaces", "INSERT INTO t(a)VALUES", insertion{into: "INSERT INTO t(a)", table: "t", columns: []string{"a"}}, true},
		{"a table called format", "INSERT INTO format FORMAT TSV", insertion{into: "INSERT INTO format", table: "format", format: "TSV"}, true},
		{"rows in the text", "INSERT INTO t VALUES (1)", insertion{}, false},
		{"a select", "INSERT INTO t SELECT 1", insertion{}, false},
		{"a function", "INSERT INTO FUNCTION file('x') FORMAT CSV", insertion{}, false},
		{"settings", "INSERT INTO t SETTINGS a = 1 FORMAT CSV", insertion{}, false},
		{"no table", "INSERT INTO", insertion{}, false},
		{"an open list", "INSERT INTO t (a", insertion{}, false},
		{"an open quote", "INSERT INTO `t\\", insertion{}, false},
		{"a list without a name", "INSERT INTO t (a,)", insertion{}, false},
		{"another statement", "SELECT 1", insertion{}, false},
		{"a longer word", "INSERTS INTO t", insertion{}, false},
		{"nothing", "", insertion{}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := parseInsert(row.text)
			if ok != row.ok {
				t.Fatalf("parseInsert says %v, want %v", ok, row.ok)
			}
			if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(insertion{})); ok && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// sample is two blocks of revision 0.
const (
	firstBlock = "\x02\x02\x01a\x05UInt8\x07\x08\x01s\x06String\x01x\x03\x00;\n"
	sample     = firstBlock + "\x01\x00\x01a\x05UInt8"
)

func TestReframe(t *testing.T) {
	want := "\x01\x00\x02\xff\xff\xff\xff\x00\x02\x02\x01a\x05UInt8\x00\x07\x08\x01s\x06String\x00\x01x\x03\x00;\n" +
		"\x01\x00\x02\xff\xff\xff\xff\x00\x01\x00\x01a\x05UInt8\x00"
	framed, rows := reframed(t, sample, toClient)
	if framed != want {
		t.Errorf("for clients:\n%q, want\n%q", framed, want)
	}
	if diff := cmp.Diff([]int{2, 0}, rows); diff != "" {
		t.Errorf("rows of the blocks: -want +got:\n%s", diff)
	}
	if back, _ := reframed(t, framed, toEngine); back != sample {
		t.Errorf("back for the engine:\n%q, want\n%q", back, sample)
	}
}

func reframed(t *testing.T, src string, to direction) (string, []int) {
	t.Helper()
	var out bytes.Buffer
	var rows []int
	err := reframe([]byte(src), to, &column.ServerContext{Revision: revision}, func(block []byte, n int) error {
		out.Write(block)
		rows = append(rows, n)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), rows
}

// TestReframeCutOff holds that half a block is an error, wherever it ends, and
// that types nobody knows are.
func TestReframeCutOff(t *testing.T) {
	bad := []string{"\x01\x01\x01a\x05Nope!\x01"}
	for n := range len(sample) {
		if n != 0 && n != len(firstBlock) {
			bad = append(bad, sample[:n])
		}
	}
	for _, src := range bad {
		err := reframe([]byte(src), toClient, &column.ServerContext{}, func([]byte, int) error { return nil })
		if err == nil {
			t.Errorf("no error for %q", src)
		}
	}
	stop := errors.New("stop")
	if err := reframe([]byte(sample), toClient, &column.ServerContext{}, func([]byte, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of emit", err)
	}
}

func TestAsException(t *testing.T) {
	own := refuse(codeNotImplemented, "no")
	for _, row := range []struct {
		name string
		err  error
		want Exception
	}{
		{"the engine's", errors.New("Code: 60. DB::Exception: Unknown table: x. (UNKNOWN_TABLE)"), Exception{60, "DB::Exception", "Unknown table: x. (UNKNOWN_TABLE)"}},
		{"with lines", errors.New("Code: 62. DB::Exception: a\nb"), Exception{62, "DB::Exception", "a\nb"}},
		{"of another class", errors.New("Code: 1001. std::bad_alloc: full"), Exception{1001, "std::bad_alloc", "full"}},
		{"ours", fmt.Errorf("wrapped: %w", own), *own},
		{"no code", errors.New("broken"), Exception{codeUnknown, "DB::Exception", "broken"}},
		{"a code too long", errors.New("Code: 99999999999999999999. DB::Exception: x"), Exception{codeUnknown, "DB::Exception", "x"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, *asException(row.err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUndump(t *testing.T) {
	for _, row := range []struct{ name, literal, want string }{
		{"a number", "41", "41"},
		{"quoted", "'41'", "41"},
		{"a quote", `'it\'s'`, "it's"},
		{"an escaped value", `'a\\tb'`, `a\tb`},
		{"empty", "''", ""},
		{"one quote", "'", "'"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := undump(row.literal); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
