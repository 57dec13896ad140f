package http

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawoffice/ledger/commands"
	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/internal/webhook"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/process"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
	searchsqlite "github.com/clawoffice/ledger/projections/search/sqlite"
	"github.com/clawoffice/ledger/projections/search/tags"
	"github.com/clawoffice/ledger/projections/spending"
)

// The adapters below join the parts as the program does.

type rulesOf struct{ model *access.Model }

func (r rulesOf) Rules(ws domain.WorkspaceID) (workspace.State, *policy.Evaluator, bool, error) {
	w, ok := r.model.Workspace(ws)
	if !ok {
		return workspace.State{}, nil, false, nil
	}
	rules, err := w.Evaluator()
	return w.Access(), rules, true, err
}

func (r rulesOf) Invited(hash domain.Digest) (domain.WorkspaceID, bool) {
	w, _, ok := r.model.Invitation(hash)
	if !ok {
		return "", false
	}
	return w.ID(), true
}

type permitsOf struct{ keys *ledgercrypto.Dir }

func (p permitsOf) SignPermit(payload []byte) []byte { return p.keys.Signer().SignPermit(nil, payload) }

func (p permitsOf) VerifyPermit(token []byte) ([]byte, error) {
	payload, _, err := p.keys.Verifier().Verify(token, ledgercrypto.PermitTyp)
	return payload, err
}

type placesOf struct{ model *directory.Model }

func (p placesOf) Place(ctx context.Context, ws domain.WorkspaceID, id string) (commands.Place, bool, error) {
	uuid, err := ledger.ParseEventID(id)
	if err != nil {
		return commands.Place{}, false, nil
	}
	e, err := p.model.Event(ctx, ws, uuid)
	if listError(err) == error(errNotFound) {
		return commands.Place{}, false, nil
	}
	return commands.Place{Stream: e.Stream, Revision: e.Revision}, err == nil, err
}

// world is a running server over the embedded engine, with a workspace in it.
type world struct {
	t        testing.TB
	fixture  *ledgertest.Fixture
	models   *projections.Models
	halt     func() // stops the models, as a crash of theirs would
	lists    *late
	server   *Server
	url      string
	operator string
	owner    string // tokens
	agent    string
	super    string // a supervisor's
	ownerID  string
	agentID  string
	superID  string
	client   *http.Client
	ahead    atomic.Int64 // nanoseconds that the service's clock is before the real one
}

// late is the directory; as long as its lock is held it sees nothing new.
type late struct {
	*directory.Model
	sync.Mutex
}

func (l *late) Apply(ctx context.Context, r *ledger.Record) error {
	l.Lock()
	defer l.Unlock()
	return l.Model.Apply(ctx, r)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answer) text(path ...string) string {
	s, _ := a.at(path...).(string)
	return s
}

func (a answer) at(path ...string) any {
	var v any = a.body
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	return newWorldOn(t, ledgertest.New(t), change...)
}

func newWorldOn(t testing.TB, fixture *ledgertest.Fixture, change ...func(*Config)) *world {
	t.Helper()
	w := serverOn(t, fixture, change...)
	w.settle()
	return w
}

// serverOn is a server with models of its own, over whatever is in a log.
func serverOn(t testing.TB, fixture *ledgertest.Fixture, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, fixture: fixture, client: &http.Client{}}
	ctx, cancel := context.WithCancel(context.Background())
	rights, lists, spent := access.New(w.fixture.Ring), directory.New(), spending.New()
	inbox, hooks := approvals.New(), process.New()
	found := newIndex(t, fixture)
	w.lists = &late{Model: lists}
	models, err := projections.New(w.fixture.Ledger, t.TempDir(), projections.Options{Logger: slog.New(slog.DiscardHandler)}, rights, w.lists, spent, inbox, hooks, found)
	if err != nil {
		t.Fatal(err)
	}
	w.models = models
	ran := make(chan error, 1)
	w.halt = sync.OnceFunc(func() { cancel(); <-ran })
	go func() { ran <- models.Run(ctx) }()
	keys := w.fixture.Keys
	service := commands.New(commands.Config{Log: w.fixture.Ledger, Secret: keys.Secret(), Permits: permitsOf{keys}, Access: rulesOf{rights},
		Keys: w.fixture.Ring, Places: placesOf{lists}, Now: w.now, Logger: slog.New(slog.DiscardHandler), Receivers: hooks,
		Sender: webhook.New(webhook.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})})
	config := Config{Service: service, Models: models, Access: rights, Directory: lists, Approvals: inbox, Spending: spent, Index: found, Indexing: noRebuilds{}, TokenHash: ledgercrypto.TokenHash,
		Operator: keys.VerifyOperatorToken, Keys: keys.JWKS, Now: w.now}
	for _, c := range change {
		c(&config)
	}
	server, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.server = server
	addr, served := startIn(t, server)
	t.Cleanup(func() {
		stop, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := server.Shutdown(stop); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
		<-served
		_ = service.Close(stop)
		w.halt()
		_ = models.Close()
		w.client.CloseIdleConnections()
	})
	w.url = "http://" + addr
	token, err := os.ReadFile(keys.Path() + "/operator.token")
	if err != nil {
		t.Fatal(err)
	}
	w.operator = strings.TrimSpace(string(token))
	deadline := time.Now().Add(30 * time.Second)
	for w.models.Stale(context.Background(), time.Second, access.Name) != nil && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	return w
}

// newIndex makes an empty search index in a file.
func newIndex(t testing.TB, fixture *ledgertest.Fixture) *index.Model {
	t.Helper()
	engine, err := searchsqlite.Open(context.Background(), t.TempDir()+"/1.db", searchsqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	secret := fixture.Keys.Secret()
	return index.New(index.Config{Source: fixture.Ledger, Generation: index.Generation{Number: 1, Engine: engine},
		Keys: func(ws domain.WorkspaceID, generation int) tags.Key { return secret.SearchKey(ws, uint32(generation)) }})
}

// noRebuilds is an index that is never made again; cmd does that.
type noRebuilds struct{}

func (noRebuilds) Engine() string              { return "sqlite" }
func (noRebuilds) Rebuild() error              { return search.ErrClosed }
func (noRebuilds) Rebuilding() (bool, float64) { return false, 0 }

// now is the time for the service.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// settle makes the workspace acme with an owner, a supervisor and an agent.
func (w *world) settle() {
	w.t.Helper()
	made := w.must(201, "POST", "/v1/workspaces", w.operator,
		`{"id":"acme","name":"Acme GmbH","currency":"EUR","owner":{"email":"olga@acme.test","name":"Olga"}}`)
	w.owner, w.ownerID = made.text("owner", "token"), made.text("owner", "id")
	w.super, w.superID = w.join("sam@acme.test", "Sam", "operations_supervisor")
	agent := w.must(201, "POST", "/v1/workspaces/acme/agents", w.owner, `{"name":"billing bot"}`)
	w.agentID = agent.text("id")
	w.agent = w.must(201, "POST", "/v1/workspaces/acme/agents/"+w.agentID+"/tokens", w.owner, `{"name":"t"}`).text("token")
}

// join invites somebody and accepts for them.
func (w *world) join(email, name, role string) (token, id string) {
	w.t.Helper()
	invited := w.must(201, "POST", "/v1/workspaces/acme/members", w.owner, `{"email":"`+email+`","name":"`+name+`","roles":["`+role+`"]}`)
	joined := w.must(201, "POST", "/v1/invitations:accept", "", `{"invitation_token":"`+invited.text("invitation_token")+`"}`)
	return joined.text("token"), joined.text("member")
}

// do is once on a replica that is up to date. One that a busy machine has kept
// from looking at the log says so and does nothing, so the call is made again.
func (w *world) do(method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if a := w.once(method, path, token, body, headers...); a.text("code") != errStale.Code || time.Now().After(end) {
			return a
		}
	}
}

// once sends a request; headers come in pairs.
func (w *world) once(method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, w.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.raw, err = io.ReadAll(res.Body); err != nil {
		w.t.Fatal(err)
	}
	_ = json.Unmarshal(a.raw, &a.body) // bodies that are no objects are looked at raw
	return a
}

// must is do with the status that is wanted.
func (w *world) must(status int, method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	a := w.do(method, path, token, body, headers...)
	if a.status != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.raw)
	}
	return a
}

// refused is do with the problem that is wanted.
func (w *world) refused(status int, code, method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	ask := w.do
	if code == errStale.Code {
		ask = w.once
	}
	a := ask(method, path, token, body, headers...)
	if a.status != status || a.text("code") != code {
		w.t.Errorf("%s %s: %d %s, want %d %s: %s", method, path, a.status, a.text("code"), status, code, a.raw)
	}
	return a
}

// started is an execution of the agent's that runs.
func (w *world) started() string {
	w.t.Helper()
	action := `{"kind":"llm.call","params":{"n":1}}`
	made := w.must(201, "POST", "/v1/workspaces/acme/executions", w.agent, `{"workflow":"invoices","action":`+action+`}`)
	id := made.text("id")
	w.must(200, "POST", "/v1/workspaces/acme/executions/"+id+"/start", w.agent, `{"permit":"`+made.text("permit")+`","action":`+action+`}`)
	return id
}
