package archtest

import (
	"slices"
	"strings"
	"testing"
)

// layer says what the folders below root may import of the project. The first
// layer that a folder is within applies.
type layer struct {
	root string
	may  []string // folders, with everything below them; a trailing "." means that folder alone
}

// layers is who may import whom. What is not listed may import nothing.
var layers = []layer{
	{"domain/schema", []string{"domain"}},
	{"domain/process", []string{"domain"}},
	{"domain/policy", []string{"domain.", "domain/gate"}},
	{"domain/execution", []string{"domain.", "domain/gate"}},
	{"domain/approval", []string{"domain.", "domain/gate"}},
	{"domain/gate", []string{"domain."}},
	{"domain", []string{"domain."}}, // an aggregate never imports another
	{"crypto", []string{"domain."}},
	{"internal/eventlog/esdbface", []string{"internal/eventlog."}},
	{"internal/eventlog/eventstoredb", []string{"internal/eventlog."}},
	{"internal/eventlog/sqlite", []string{"internal/eventlog."}},
	{"internal/eventlog", nil},
	{"internal/webhook", []string{"domain.", "domain/webhook"}},
	{"internal/chrig", []string{"internal/chrig"}},
	{"internal/ledger", []string{"domain.", "domain/schema", "crypto", "internal/eventlog."}},
	{"commands", []string{"domain", "crypto", "internal/ledger", "internal/eventlog."}},
	{"projections", []string{"domain", "crypto", "internal/ledger", "internal/eventlog.", "projections"}},
	{"http/api", nil},
	{"http/console", []string{"http/api", "http/console"}},
	{"http", []string{"commands", "projections", "domain", "http/api", "internal/eventlog.", "internal/ledger"}},
	{"cmd", []string{"commands", "projections", "domain", "crypto", "http", "internal"}},
}

func (l layer) allows(folder string) bool {
	return slices.ContainsFunc(l.may, func(may string) bool {
		if alone, ok := strings.CutSuffix(may, "."); ok {
			return folder == alone
		}
		return within(folder, may)
	})
}

func TestWhoImportsWhom(t *testing.T) {
	for _, s := range product(sources(t)) {
		i := slices.IndexFunc(layers, func(l layer) bool { return within(s.folder, l.root) })
		for _, imp := range s.imports(t) {
			switch {
			case imp.own == "" || imp.own == s.folder:
			case within(imp.own, "cmd"):
				t.Errorf("%s imports %s; nobody imports cmd", s.path, imp.own)
			case i < 0:
				t.Errorf("%s is in a folder without a rule and imports %s; add the folder to layers", s.path, imp.own)
			case !layers[i].allows(imp.own):
				t.Errorf("%s may not import %s; folders within %s may import %q", s.path, imp.own, layers[i].root, layers[i].may)
			}
		}
	}
}

// TestLayersAreReal fails for a rule about a folder that is gone.
func TestLayersAreReal(t *testing.T) {
	all := sources(t)
	for _, l := range layers {
		if !slices.ContainsFunc(all, func(s source) bool { return within(s.folder, l.root) }) {
			t.Errorf("layers has a rule for %s, which does not exist", l.root)
		}
	}
}

// foreign is a package, or a family of packages, that only some folders import.
type foreign struct {
	prefix string
	only   []string // folders; none means nobody
	why    string
}

var foreigners = []foreign{
	{"github.com/google/cel-go", []string{"domain/policy"}, "conditions are compiled in one place"},
	{"github.com/google/tink", []string{"crypto"}, "keys are handled in one place"},
	{"github.com/google/tink/go/integration", nil, "it links cloud SDKs"},
	{"github.com/lestrrat-go/jwx", []string{"crypto"}, "signatures are handled in one place"},
	{"github.com/EventStore", []string{"internal/eventlog/eventstoredb", "internal/eventlog/esdbface"}, "one engine, one folder"},
	{"github.com/EventStore/EventStore-Client-Go/v4/protos/status", nil, "it clashes with grpc and panics at start"},
	{"github.com/EventStore/EventStore-Client-Go/v4/protos/code", nil, "it clashes with grpc and panics at start"},
	{"github.com/ThreeDotsLabs/watermill", []string{"projections"}, "it is the machinery of the read side"},
	{"github.com/gorilla/mux", []string{"http"}, "routes are in one place"},
	{"github.com/alecthomas/kong", []string{"cmd"}, "the command line is in one place"},
	{"zombiezen.com/go/sqlite", []string{"internal/eventlog/sqlite", "projections", "cmd"}, "SQL is in engines and models"},
	{"modernc.org/sqlite", nil, "zombiezen.com/go/sqlite is the way to it"},
	{"github.com/mattn/go-sqlite3", nil, "it needs cgo"},
	{"C", nil, "the program builds without cgo"},
	{"unsafe", []string{"internal/chrig"}, "nothing in the product needs it"},
	{"github.com/ebitengine/purego", []string{"internal/chrig"}, "the product links no shared library"},
	{"github.com/ClickHouse", []string{"internal/chrig", "projections/search/clickhouse"}, "one engine, one folder"},
	{module + "/internal/chrig", []string{"internal/chrig"}, "the ClickHouse rig is for tests"},
	{"github.com/chromedp", nil, "browsers are for tests"},
	{"github.com/stretchr/testify", nil, "tests use testing and go-cmp"},
}

// guessable is randomness that may decide pauses and examples, and nothing that
// somebody must not guess.
var guessable = []string{"domain", "crypto", "commands", "internal/ledger", "projections"}

func TestForeignImports(t *testing.T) {
	for _, s := range product(sources(t)) {
		for _, imp := range s.imports(t) {
			for _, f := range foreigners {
				if !within(imp.path, f.prefix) || s.generated {
					continue
				}
				if !slices.ContainsFunc(f.only, func(folder string) bool { return within(s.folder, folder) }) {
					t.Errorf("%s imports %s: %s", s.path, imp.path, f.why)
				}
			}
			if within(imp.path, "math/rand") && slices.ContainsFunc(guessable, func(folder string) bool { return within(s.folder, folder) }) {
				t.Errorf("%s imports %s: ids and salts come from crypto/rand", s.path, imp.path)
			}
		}
	}
}

// TestDomainIsPure holds the domain to the standard library without anything
// that looks outside.
func TestDomainIsPure(t *testing.T) {
	outside := []string{"net", "os", "database", "math/rand", "crypto/rand", "log", "syscall", "io/fs", "runtime", "context"}
	for _, s := range product(sources(t)) {
		if !within(s.folder, "domain") {
			continue
		}
		for _, imp := range s.imports(t) {
			standard := !strings.Contains(strings.SplitN(imp.path, "/", 2)[0], ".")
			helper := within(s.folder, "domain/policy") // it has cel-go, and what canonical JSON needs
			switch {
			case imp.own != "" || !standard && helper:
			case !standard:
				t.Errorf("%s imports %s; the domain uses the standard library", s.path, imp.path)
			case slices.ContainsFunc(outside, func(o string) bool { return within(imp.path, o) }):
				t.Errorf("%s imports %s, which looks outside; such things arrive in the command", s.path, imp.path)
			}
		}
	}
}

// TestAliases holds the two packages whose names clash with the standard
// library to one alias each.
func TestAliases(t *testing.T) {
	want := map[string]string{module + "/http": "ledgerhttp", module + "/crypto": "ledgercrypto"}
	for _, s := range sources(t) {
		for _, imp := range s.imports(t) {
			if alias, ok := want[imp.path]; ok && imp.name != alias {
				t.Errorf("%s imports %s as %q; everywhere it is %s", s.path, imp.path, imp.name, alias)
			}
			if imp.name == "." || imp.name == "_" && !s.test && imp.path != "embed" && imp.path != "time/tzdata" {
				t.Errorf("%s imports %s as %q", s.path, imp.path, imp.name)
			}
		}
	}
}
