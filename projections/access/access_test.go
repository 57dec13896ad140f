package access_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
)

// world is a ledger with a running access model over it.
type world struct {
	*testing.T
	f     *ledgertest.Fixture
	dir   string
	model *access.Model
	all   *projections.Models
	stop  func()
	keys  access.Keys
	tails map[string]ledger.Tail
	n     int

	applied *atomic.Int64 // records since the last start
}

// counted is the model, and counts what it applies.
type counted struct {
	*access.Model
	applied *atomic.Int64
}

func (c counted) Apply(ctx context.Context, r *ledger.Record) error {
	c.applied.Add(1)
	return c.Model.Apply(ctx, r)
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{T: t, f: ledgertest.New(t), dir: t.TempDir(), tails: map[string]ledger.Tail{}}
	w.keys = w.f.Ring
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start starts a new model, as a restart would.
func (w *world) start() {
	w.Helper()
	w.model, w.applied = access.New(w.keys), &atomic.Int64{}
	var err error
	w.all, err = projections.New(w.f.Ledger, w.dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, counted{w.model, w.applied})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- w.all.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ran, w.all.Close()); err != nil {
			w.Error(err)
		}
	}
}

// put appends events to a stream and waits until the model has seen them.
func (w *world) put(stream string, events ...domain.Event) eventlog.Position {
	w.Helper()
	var list []ledger.Draft
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			w.Fatal(err)
		}
		w.n++
		d := ledgertest.Draft(fmt.Sprint(w.n), e.EventType(), "")
		d.Payload = ledger.WrapFact("", data)
		list = append(list, d)
	}
	tail, ok := w.tails[stream]
	if !ok {
		tail = ledger.NoTail()
	}
	receipt, err := w.f.Append(context.Background(), stream, tail, list)
	if err != nil {
		w.Fatal(err)
	}
	w.tails[stream] = receipt.Tail
	w.wait(receipt.Position)
	return receipt.Position
}

func (w *world) wait(position eventlog.Position) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.all.WaitFor(ctx, access.Name, position); err != nil {
		w.Fatalf("%v\n%+v", err, w.all.Health())
	}
}

var (
	ann   = domain.MemberActor("mb_ann")
	robot = domain.AgentActor("ag_1")
	soon  = now.Add(time.Hour)
)

func (w *world) acme() eventlog.Position {
	return w.put("acme/workspace-acme",
		workspace.Created{Workspace: "acme", Name: "Acme", Currency: "EUR", At: now},
		workspace.MemberInvited{Member: "mb_ann", Subject: "s1", Roles: []domain.RoleName{domain.RoleOwner}, By: domain.Operator(), At: now},
		workspace.MemberJoined{Member: "mb_ann", At: now},
		workspace.TokenIssued{Token: "tk_ann", Actor: ann, Hash: "hash-ann", By: ann, At: now},
		workspace.AgentRegistered{Agent: "ag_1", Name: "canary-name", Roles: []domain.RoleName{domain.RoleAgent}, Workflows: []domain.Workflow{"*"}, By: ann, At: now},
		workspace.TokenIssued{Token: "tk_1", Actor: robot, Hash: "hash-1", ExpiresAt: &soon, By: ann, At: now},
		workspace.MemberInvited{Member: "mb_bob", Subject: "s2", Roles: []domain.RoleName{domain.RoleAuditor}, InvitationHash: "hash-invitation", ExpiresAt: soon, By: ann, At: now})
}

func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	w.acme()
	tests := []struct {
		name  string
		then  []domain.Event
		hash  domain.Digest
		at    time.Time
		actor domain.Actor
		err   error
	}{
		{"a member", nil, "hash-ann", now, ann, nil},
		{"an agent", nil, "hash-1", now, robot, nil},
		{"an unknown token", nil, "hash-2", now, domain.Actor{}, access.ErrUnknownToken},
		{"expired", nil, "hash-1", soon, domain.Actor{}, access.ErrTokenExpired},
		{"suspended", []domain.Event{workspace.Suspended{}}, "hash-ann", now, ann, nil},
		{"revoked", []domain.Event{workspace.TokenRevoked{Token: "tk_1", By: ann}}, "hash-1", now, domain.Actor{}, access.ErrTokenRevoked},
		{"removed", []domain.Event{workspace.AgentRemoved{Agent: "ag_1", By: ann}}, "hash-1", now, domain.Actor{}, access.ErrActorRemoved},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.then) > 0 {
				w.put("acme/workspace-acme", tt.then...)
			}
			id, err := w.model.Authenticate(tt.hash, tt.at)
			if !errors.Is(err, tt.err) || id.Actor != tt.actor {
				t.Errorf("answered %v, %v, want %v, %v", id.Actor, err, tt.actor, tt.err)
			}
			if err == nil && (id.Workspace.ID() != "acme" || len(id.Roles) != 1 || id.Workspace.Suspended() != (tt.name == "suspended")) {
				t.Errorf("identity %+v", id)
			}
		})
	}
}

func TestChecks(t *testing.T) {
	w := newWorld(t)
	w.acme()
	if !w.model.Allows("acme", ann, domain.PolicyWrite, now) || w.model.Allows("acme", robot, domain.PolicyWrite, now) ||
		!w.model.Allows("acme", robot, domain.ExecutionRequest, now) || w.model.Allows("other", ann, domain.PolicyWrite, now) {
		t.Error("permissions are not those of the roles")
	}
	in, member, ok := w.model.Invitation("hash-invitation")
	if !ok || in.ID() != "acme" || member != "mb_bob" {
		t.Errorf("the invitation is for %s, %v", member, ok)
	}
	before, _ := w.model.Workspace("acme")
	w.put("acme/workspace-acme", workspace.MemberJoined{Member: "mb_bob", At: now},
		workspace.RolesSet{Actor: ann, Roles: []domain.RoleName{domain.RoleAuditor}, By: ann, At: now})
	if _, _, ok := w.model.Invitation("hash-nobody"); ok {
		t.Error("an invitation that was never made is found")
	}
	after, _ := w.model.Workspace("acme")
	if !before.Allows(ann, domain.PolicyWrite, now) || after.Allows(ann, domain.PolicyWrite, now) || after.Position() <= before.Position() {
		t.Error("a snapshot changed, or the new one did not")
	}
	w.put("beta/workspace-beta", workspace.Created{Workspace: "beta", Name: "Beta", Currency: "EUR", At: now})
	var ids []domain.WorkspaceID
	for _, ws := range w.model.List() {
		ids = append(ids, ws.ID())
	}
	if diff := cmp.Diff([]domain.WorkspaceID{"acme", "beta"}, ids); diff != "" {
		t.Error(diff)
	}
	if _, ok := w.model.Workspace("gamma"); ok {
		t.Error("a workspace that was never created is found")
	}
}

func TestPoliciesDecide(t *testing.T) {
	w := newWorld(t)
	w.acme()
	write := func(version int, effect gate.Effect) {
		w.put("acme/policy-main", policy.Written{ID: "p1", Version: version, Digest: domain.Digest(fmt.Sprint(version)), By: ann, At: now, Policy: policy.Policy{
			Workflow: "*", Mode: policy.Enforce, Default: gate.Allow,
			Rules: []policy.Rule{{ID: "r1", Actions: []domain.ActionKind{"payment.initiate"}, When: "action.params.amount > 10", Effect: effect}}}})
	}
	ask := func(ws *access.Workspace) gate.Effect {
		e, err := ws.Evaluator()
		if err != nil {
			t.Fatal(err)
		}
		return e.Evaluate(policy.Input{Workflow: "invoices", Kind: "payment.initiate", Params: json.RawMessage(`{"amount":12}`), Actor: robot, Now: now}).Effect
	}
	write(1, gate.Deny)
	first, _ := w.model.Workspace("acme")
	write(2, gate.RequireApproval)
	second, _ := w.model.Workspace("acme")
	if ask(first) != gate.Deny || ask(second) != gate.RequireApproval {
		t.Errorf("decided %s, then %s", ask(first), ask(second))
	}
	if got, _ := second.Policies().Policy("p1"); got.Version != 2 {
		t.Errorf("policy is of version %d, want 2", got.Version)
	}
}

// A restart reads the rows and only what came since from the log.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.acme()
	w.put("acme/policy-main", policy.Written{ID: "p1", Version: 1, By: ann, At: now, Policy: policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Deny}})
	before, _ := w.model.Workspace("acme")
	w.stop()
	w.noPlaintext("canary-name", "hash-ann", "mb_ann")
	w.start()
	last := w.put("acme/workspace-acme", workspace.TokenRevoked{Token: "tk_1", By: ann})
	after, _ := w.model.Workspace("acme")
	if _, err := w.model.Authenticate("hash-1", now); !errors.Is(err, access.ErrTokenRevoked) {
		t.Errorf("a revoked token after a restart: %v", err)
	}
	if id, err := w.model.Authenticate("hash-ann", now); err != nil || id.Actor != ann {
		t.Errorf("after a restart: %v, %v", id.Actor, err)
	}
	if diff := cmp.Diff(before.Policies(), after.Policies()); diff != "" {
		t.Errorf("policies changed by a restart:\n%s", diff)
	}
	want := before.Access().Evolve(workspace.TokenRevoked{Token: "tk_1", By: ann})
	if diff := cmp.Diff(want, after.Access()); diff != "" {
		t.Errorf("access changed by a restart:\n%s", diff)
	}
	w.stop()
	w.start()
	w.wait(last)
	if e, err := after.Evaluator(); err != nil || e == nil {
		t.Errorf("no evaluator: %v", err)
	}
}

// noPlaintext looks for what must be sealed in the model's raw files.
func (w *world) noPlaintext(canaries ...string) {
	w.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "models", "*"))
	if err != nil || len(files) == 0 {
		w.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			w.Fatal(err)
		}
		for _, canary := range canaries {
			if bytes.Contains(raw, []byte(canary)) {
				w.Errorf("%s holds %q in clear", filepath.Base(path), canary)
			}
		}
	}
}

// A row that was changed, or stands in for another, is not believed.
func TestRowsAreNotBelieved(t *testing.T) {
	tests := []struct{ name, change string }{
		{"changed", `UPDATE workspace SET sealed = zeroblob(length(sealed)) WHERE id = 'acme'`},
		{"exchanged", `UPDATE workspace SET id = 'x' WHERE id = 'acme'; UPDATE workspace SET id = 'acme' WHERE id = 'beta'; UPDATE workspace SET id = 'beta' WHERE id = 'x'`},
		{"older", `UPDATE workspace SET position = position - 1`},
		{"under no key", `UPDATE workspace SET key = 'dk_none'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.put("beta/workspace-beta", workspace.Created{Workspace: "beta", Name: "Beta", Currency: "EUR", At: now})
			last := w.acme()
			w.stop()
			conn, err := sqlite.OpenConn(filepath.Join(w.dir, "models", "access.db"), sqlite.OpenReadWrite|sqlite.OpenWAL)
			if err == nil {
				err = sqlitex.ExecuteScript(conn, tt.change, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if conn.Changes() == 0 {
				t.Fatal("the change changed nothing")
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.wait(last)
			if id, err := w.model.Authenticate("hash-ann", now); err != nil || id.Actor != ann {
				t.Errorf("%v, %v", id.Actor, err)
			}
			if ws, ok := w.model.Workspace("beta"); !ok || ws.Access().Name != "Beta" {
				t.Error("beta is not what it was")
			}
		})
	}
}

// An event of a newer version must not be passed over: it might take rights
// away.
func TestUnknownEventStops(t *testing.T) {
	w := newWorld(t)
	w.acme()
	draft := ledgertest.Draft("future", "workspace.future.v9", "")
	draft.Payload = ledger.WrapFact("", []byte("{}"))
	if _, err := w.f.Append(context.Background(), "acme/workspace-acme", w.tails["acme/workspace-acme"], []ledger.Draft{draft}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); w.all.Health()[0].Condition != projections.Stopped; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("health %+v, want stopped", w.all.Health())
		}
	}
}

// A key that another replica destroyed is used no more once the model has seen
// that it was.
func TestDestroyedKeysAreLetGoOf(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.acme()
	key, err := w.f.Ring.Current(ctx, "acme", "s2")
	if err != nil {
		t.Fatal(err)
	}
	other := ledgertest.On(t, w.f.Log, w.f.Keys)
	ids, err := other.Ring.Erase(ctx, "acme", "s2")
	if err != nil || len(ids) != 1 {
		t.Fatalf("erased %v, %v", ids, err)
	}
	w.put("acme/workspace-acme",
		workspace.SubjectErasureOrdered{Erasure: "er_1", Subject: "s2", Reason: "asked", By: ann, At: now},
		workspace.SubjectErased{Erasure: "er_1", Subject: "s2", Keys: []string{string(ids[0])}, At: now})
	if _, err := w.f.Ring.ByID(ctx, "acme", key.ID()); !errors.Is(err, ledgercrypto.ErrKeyErased) {
		t.Errorf("the destroyed key is still known: %v", err)
	}
	if again, err := w.f.Ring.Current(ctx, "acme", "s2"); err != nil || again.ID() == key.ID() {
		t.Errorf("seals with the destroyed key, %v", err)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	f := ledgertest.New(b)
	m := access.New(f.Ring)
	apply := func(revision int64, e domain.Event) {
		data, err := json.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		r := &ledger.Record{Position: eventlog.Position(revision + 1), Payload: ledger.WrapFact("", data)}
		r.Workspace, r.Stream, r.Revision, r.Type = "acme", "acme/workspace-acme", revision, e.EventType()
		if err := m.Apply(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
	apply(0, workspace.Created{Workspace: "acme", At: now})
	const agents = 10_000
	for i := range int64(agents) {
		id := domain.AgentID(fmt.Sprintf("ag_%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))[:29])
		apply(2*i+1, workspace.AgentRegistered{Agent: id, Roles: []domain.RoleName{domain.RoleAgent}, Workflows: []domain.Workflow{"*"}, At: now})
		apply(2*i+2, workspace.TokenIssued{Token: domain.CredentialID("tk_" + string(id)[3:]), Actor: domain.AgentActor(id),
			Hash: ledgercrypto.Digest(fmt.Append(nil, i)), At: now})
	}
	hashes := make([]domain.Digest, agents)
	for i := range hashes {
		hashes[i] = ledgercrypto.Digest(fmt.Append(nil, i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id, err := m.Authenticate(hashes[i%agents], now)
		if err != nil || !id.Workspace.Allows(id.Actor, domain.ExecutionRequest, now) {
			b.Fatal(err)
		}
	}
}
