package http

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// matrix is a world with somebody of every sort in it.
type matrix struct {
	*world
	auditor  string
	nobody   string // a member without any permission
	stranger string // the owner of another workspace
	expiring string // the owner's token that ends in an hour
	late     atomic.Int64
	names    int
	seen     eventlog.Position
}

func (m *matrix) unique(prefix string) string {
	m.names++
	return fmt.Sprintf("%s_%d", prefix, m.names)
}

// position is the newest of the log.
func (m *matrix) position() string {
	head, err := m.fixture.ReadHead(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return strconv.FormatUint(uint64(head), 10)
}

func newMatrix(t *testing.T) *matrix {
	m := &matrix{}
	m.world = newWorld(t, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(m.late.Load())) }
		c.Limits.PerAddress = 1e6
	})
	m.auditor, _ = m.join("ann@acme.test", "Ann", "auditor")
	m.must(200, "PUT", "/v1/workspaces/acme/roles/nothing", m.owner, `{"permissions":[]}`)
	m.nobody, _ = m.join("nob@acme.test", "Nob", "nothing")
	m.stranger = m.must(201, "POST", "/v1/workspaces", m.operator,
		`{"id":"other","name":"Other","currency":"EUR","owner":{"email":"s@other.test","name":"S"}}`).text("owner", "token")
	m.expiring = m.must(201, "POST", "/v1/workspaces/acme/members/"+m.ownerID+"/tokens", m.owner,
		`{"name":"short","expires_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`).text("token")
	return m
}

func (m *matrix) tokenOf(kind string) string {
	return map[string]string{"owner": m.owner, "agent": m.agent, "super": m.super, "auditor": m.auditor, "operator": m.operator}[kind]
}

// untouched fails if any record was appended since the last look but to the
// journal of accesses and to the service's own streams.
func (m *matrix) untouched(t *testing.T) {
	t.Helper()
	for _, stream := range m.grown() {
		t.Errorf("the refused call wrote to %s", stream)
	}
}

// grown lists the streams that matter that grew since the last look.
func (m *matrix) grown() []string {
	streams := map[string]bool{}
	for r, err := range m.fixture.Log.Read(context.Background(), eventlog.Query{After: m.seen}) {
		if err != nil {
			m.t.Fatal(err)
		}
		m.seen = r.Position
		ws, name, _ := strings.Cut(r.Stream, "/")
		if ws != "_system" && !strings.HasPrefix(name, "access-") {
			streams[r.Stream+" "+r.Type] = true
		}
	}
	return slices.Sorted(maps.Keys(streams))
}

// wrong is a call of the matrix: what is changed of the right one, and what
// must be answered.
type wrong struct {
	name    string
	query   string
	token   string
	body    string
	headers []string
	want    string // status and code
}

func fill(text string, values map[string]string) string {
	for name, value := range values {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// TestMatrix calls every operation of the specification wrongly in every way
// and expects exactly the promised problem and no trace but that of a denial.
// An operation without a fixture fails it.
func TestMatrix(t *testing.T) {
	ops, err := specOperations()
	if err != nil {
		t.Fatal(err)
	}
	m, all := newMatrix(t), fixtures()
	for _, key := range slices.Sorted(maps.Keys(ops)) {
		op := ops[key]
		if op.tag == serviceTag {
			continue
		}
		f, ok := all[op.id]
		if !ok {
			t.Errorf("%s has no fixture in matrix_fixtures_test.go; add one", op.id)
			continue
		}
		delete(all, op.id)
		t.Run(op.id, func(t *testing.T) { m.row(t, op, f) })
	}
	for id := range all {
		t.Errorf("the fixture %s belongs to no operation", id)
	}
}

// row runs the matrix for one operation.
func (m *matrix) row(t *testing.T, op *operation, f fixture) {
	values := map[string]string{"ws": "acme"}
	if f.prepare != nil {
		maps.Copy(values, f.prepare(m))
	}
	path, body := fill(op.template, values), fill(f.body, values)
	for _, w := range m.wrongs(op, f, body) {
		t.Run(w.name, func(t *testing.T) {
			if w.name == "expired" {
				m.late.Store(int64(2 * time.Hour))
				defer m.late.Store(0)
			}
			m.grown()
			got := m.do(op.method, path+w.query, w.token, w.body, w.headers...)
			if have := fmt.Sprint(got.status, " ", got.text("code")); have != w.want {
				t.Errorf("%s, want %s: %.400s", have, w.want, got.raw)
			}
			if got.header.Get("Content-Type") != "application/problem+json" || got.text("request_id") == "" {
				t.Errorf("no whole problem: %.300s", got.raw)
			}
			m.untouched(t)
		})
	}
	t.Run("good", func(t *testing.T) { m.good(t, op, f, path, body, values) })
}

// good calls rightly, with everything the fixture has, and then repeats the
// call's key with another body.
func (m *matrix) good(t *testing.T, op *operation, f fixture, path, body string, values map[string]string) {
	if reason := f.without["good"]; reason != "" {
		t.Skip(reason)
	}
	m.grown()
	key := m.unique("key")
	got := m.do(op.method, path, m.tokenOf(f.token), body, "Idempotency-Key", key)
	if got.status != f.status {
		t.Fatalf("the fixture is wrong: %d %s", got.status, got.raw)
	}
	mutation := op.parameter("Idempotency-Key")
	if wrote := m.grown(); (len(wrote) > 0) != (mutation && !writesJournal(op.id)) {
		t.Errorf("the call wrote %v", wrote) // or else untouched would find nothing either
	}
	if mutation && (got.header.Get("Ledger-Position") == "" || got.header.Get("Ledger-Position") == "0") && !writesJournal(op.id) {
		t.Errorf("no Ledger-Position: %v", got.header)
	}
	if !mutation || f.other == "" {
		if mutation && f.body != "" && f.without["idempotency"] == "" {
			t.Error("the fixture has no other body")
		}
		return
	}
	m.grown()
	again := m.do(op.method, path, m.tokenOf(f.token), fill(f.other, values), "Idempotency-Key", key)
	if again.status != 409 || again.text("code") != "idempotency_key_reused" {
		t.Errorf("the key with another body: %d %s", again.status, again.raw)
	}
	m.untouched(t)
	same := m.do(op.method, path, m.tokenOf(f.token), body, "Idempotency-Key", key)
	if same.status != f.status || same.header.Get("Ledger-Position") != got.header.Get("Ledger-Position") {
		t.Errorf("the key with the same body: %d %s at %s, first at %s", same.status, same.raw, same.header.Get("Ledger-Position"), got.header.Get("Ledger-Position"))
	}
	m.untouched(t)
}

// writesJournal names the changes whose only records stand in the journal, or
// that find nothing to change in the fixture.
func writesJournal(id string) bool {
	return id == "openEvents" || id == "exportSearch" || id == "resumeWorkspace"
}

func (o *operation) parameter(name string) bool {
	return slices.ContainsFunc(o.params, func(p parameter) bool { return p.name == name })
}

// wrongs makes the calls that must be refused.
func (m *matrix) wrongs(op *operation, f fixture, body string) []wrong {
	token := m.tokenOf(f.token)
	out := m.wrongCallers(op, f, body)
	out = append(out,
		wrong{name: "unknown query", query: "?unknown=1", token: token, body: body, want: "400 invalid_parameter"},
		wrong{name: "huge body", token: token, body: `{"x":"` + strings.Repeat("a", int(op.maxBody)) + `"}`, want: "413 body_too_large"},
		wrong{name: "invalid UTF-8", token: token, body: "{\"x\":\"\xff\"}", want: "400 invalid_body"},
		wrong{name: "duplicate key", token: token, body: `{"x":1,"x":1}`, want: "400 invalid_body"},
		wrong{name: "unknown field", token: token, body: strings.Replace(or(body, "{}"), "{", `{"unknown_field":1`+comma(body), 1), want: "400 invalid_body"},
		wrong{name: "another media type", token: token, body: or(body, "{}"), headers: []string{"Content-Type", "text/plain"}, want: "415 unsupported_media_type"},
	)
	if op.needsBody {
		out = append(out, wrong{name: "no body", token: token, want: "400 invalid_body"})
	}
	out = append(out, wrongTypes(token, body)...)
	if op.parameter("Idempotency-Key") {
		out = append(out, wrong{name: "unprintable key", token: token, body: body, headers: []string{"Idempotency-Key", "k\u00e9"}, want: "400 invalid_parameter"})
	}
	if op.parameter("If-Match") {
		out = append(out, wrong{name: "stale If-Match", token: token, body: body, headers: []string{"If-Match", `"77"`}, want: "412 version_mismatch"})
	}
	return out
}

func comma(body string) string {
	if body == "" || body == "{}" {
		return ""
	}
	return ","
}

// wrongCallers makes the calls by who may not call.
func (m *matrix) wrongCallers(op *operation, f fixture, body string) []wrong {
	if op.rule.open {
		return nil
	}
	out := []wrong{
		{name: "no token", body: body, want: "401 unauthenticated"},
		{name: "unknown token", token: "clw_guess", body: body, want: "401 unauthenticated"},
		{name: "expired", token: m.expiring, body: body, want: "401 unauthenticated"},
	}
	elsewhere := "404 not_found"
	if !op.workspace {
		elsewhere = "403 permission_denied"
	}
	if op.rule.anyActor && !op.workspace { // about the caller itself, wherever it is
		return append(out, wrong{name: "the operator", token: m.operator, body: body, want: elsewhere})
	}
	out = append(out, wrong{name: "another workspace", token: m.stranger, body: body, want: elsewhere})
	if op.rule.operator {
		return append(out, wrong{name: "not the operator", token: m.owner, body: body, want: elsewhere})
	}
	out = append(out, wrong{name: "the operator", token: m.operator, body: body, want: "404 not_found"})
	if !op.rule.anyActor && f.without["permission"] == "" {
		out = append(out, wrong{name: "missing permission", token: m.nobody, body: body, want: or(f.lacking, "403 permission_denied")})
	}
	return out
}

// wrongTypes gives each member of the body, one after another, another type.
func wrongTypes(token, body string) []wrong {
	var members map[string]any
	if json.Unmarshal([]byte(body), &members) != nil {
		return nil
	}
	var out []wrong
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == "result" || name == "content" { // any JSON value
			continue
		}
		changed := maps.Clone(members)
		switch members[name].(type) {
		case string:
			changed[name] = 7
		case map[string]any:
			changed[name] = []any{}
		default:
			changed[name] = map[string]any{}
		}
		text, _ := json.Marshal(changed)
		out = append(out, wrong{name: "wrong type of " + name, token: token, body: string(text), want: "400 invalid_body"})
	}
	return out
}
