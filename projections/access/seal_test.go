package access_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
)

func (w *world) path() string { return filepath.Join(w.dir, "models", "access.db") }

func (w *world) copy(from, to string) {
	w.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// Who can write the file, but has no keys, can't bring a revoked token back by
// joining what is old to a checkpoint that is new.
func TestCheckpointIsNotBelieved(t *testing.T) {
	tests := []struct {
		name    string
		change  string // of the newer file; o is the older one, n a copy of the newer one
		applied int64  // records that the next start takes from the log
	}{
		{"nothing changed", ``, 0},
		{"old file as a whole", `DELETE FROM meta; INSERT INTO meta SELECT * FROM o.meta;
			DELETE FROM workspace; INSERT INTO workspace SELECT * FROM o.workspace;
			DELETE FROM seal; INSERT INTO seal SELECT * FROM o.seal`, 1},
		{"old rows under a new checkpoint", `DELETE FROM workspace; INSERT INTO workspace SELECT * FROM o.workspace`, 9},
		{"old rows and seal under a new checkpoint", `DELETE FROM workspace; INSERT INTO workspace SELECT * FROM o.workspace;
			DELETE FROM seal; INSERT INTO seal SELECT * FROM o.seal`, 9},
		{"old file, its position moved on", `DELETE FROM meta; INSERT INTO meta SELECT * FROM o.meta;
			UPDATE meta SET position = (SELECT position FROM n.meta);
			DELETE FROM workspace; INSERT INTO workspace SELECT * FROM o.workspace;
			DELETE FROM seal; INSERT INTO seal SELECT * FROM o.seal`, 9},
		{"one old row", `DELETE FROM workspace WHERE id = 'acme'; INSERT INTO workspace SELECT * FROM o.workspace WHERE id = 'acme'`, 9},
		{"row removed", `DELETE FROM workspace WHERE id = 'acme'`, 9},
		{"seal removed", `DELETE FROM seal`, 9},
		{"seal under no key", `UPDATE seal SET key = 'dk_none'`, 9},
		{"checkpoint moved back", `UPDATE meta SET position = position - 1`, 9},
		{"rows taken for new", `UPDATE meta SET position = 0`, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.put("beta/workspace-beta", workspace.Created{Workspace: "beta", Name: "Beta", Currency: "EUR", At: now})
			w.acme()
			w.stop()
			older, newer := filepath.Join(t.TempDir(), "o.db"), filepath.Join(t.TempDir(), "n.db")
			w.copy(w.path(), older)
			w.start()
			last := w.put("acme/workspace-acme", workspace.TokenRevoked{Token: "tk_1", By: ann})
			w.stop()
			w.copy(w.path(), newer)
			conn, err := sqlite.OpenConn(w.path(), sqlite.OpenReadWrite|sqlite.OpenWAL)
			if err != nil {
				t.Fatal(err)
			}
			script := `ATTACH '` + older + `' AS o; ATTACH '` + newer + `' AS n;` + tt.change
			if err := errors.Join(run(conn, script), conn.Close()); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.wait(last)
			if _, err := w.model.Authenticate("hash-1", now); !errors.Is(err, access.ErrTokenRevoked) {
				t.Errorf("the revoked token: %v", err)
			}
			if _, err := w.model.Authenticate("hash-ann", now); err != nil {
				t.Errorf("another token: %v", err)
			}
			if n := w.applied.Load(); n != tt.applied {
				t.Errorf("took %d records from the log, want %d", n, tt.applied)
			}
		})
	}
}

// run runs statements one by one, since none may be attached in a transaction.
func run(conn *sqlite.Conn, script string) error {
	for len(script) > 0 {
		s, rest, err := conn.PrepareTransient(script)
		if err != nil || s == nil {
			return err
		}
		for more := true; more && err == nil; {
			more, err = s.Step()
		}
		if err := errors.Join(err, s.Finalize()); err != nil {
			return err
		}
		script = script[len(script)-rest:]
	}
	return nil
}

// A workspace larger than can be sealed at once is saved, and so are others.
func TestLargeWorkspaceIsSaved(t *testing.T) {
	w := newWorld(t)
	w.acme()
	w.put("beta/workspace-beta", workspace.Created{Workspace: "beta", Name: "Beta", Currency: "EUR", At: now})
	random := make([]byte, 400<<10)
	last := w.acmeAgents(random, ledgercrypto.MaxPlaintext/len(random)+5)
	w.stop()
	info, err := os.Stat(w.path())
	if err != nil || info.Size() < ledgercrypto.MaxPlaintext*3/4 {
		t.Fatalf("the file is too small for this workspace: %v, %v", info, err)
	}
	w.start()
	w.wait(last)
	ws, ok := w.model.Workspace("acme")
	if n := w.applied.Load(); n != 0 || !ok || ws.Access().Agents.Len() < 30 {
		t.Errorf("took %d records from the log; the workspace is there: %v", n, ok)
	}
	if _, ok := w.model.Workspace("beta"); !ok {
		t.Error("the other workspace is not there")
	}
}

// failingKeys stand for a log that can't be written.
type failingKeys struct {
	access.Keys
	fail *atomic.Bool
}

func (k failingKeys) Current(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag) (*ledgercrypto.DataKey, error) {
	if k.fail.Load() && ws == domain.System {
		return nil, errors.New("injected")
	}
	return k.Keys.Current(ctx, ws, subject)
}

// When a commit failed after rows were written, the next one writes them all,
// and rows and checkpoint belong together again.
func TestFailedCommitIsMadeGood(t *testing.T) {
	w := newWorld(t)
	w.acme()
	w.stop()
	var fail atomic.Bool
	w.keys = failingKeys{w.f.Ring, &fail}
	w.start()
	w.wait(w.put("beta/workspace-beta", workspace.Created{Workspace: "beta", Name: "Beta", Currency: "EUR", At: now}))
	fail.Store(true)
	last := w.put("acme/workspace-acme", workspace.TokenRevoked{Token: "tk_1", By: ann})
	for deadline := time.Now().Add(time.Minute); w.all.Health()[0].Condition != projections.Unsaved; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("health %+v, want unsaved", w.all.Health())
		}
	}
	fail.Store(false)
	w.stop()
	w.start()
	w.wait(last)
	if _, err := w.model.Authenticate("hash-1", now); !errors.Is(err, access.ErrTokenRevoked) || w.applied.Load() != 0 {
		t.Errorf("the revoked token: %v, after %d records from the log", err, w.applied.Load())
	}
}

// A fact is never erased; one that seems to be must not be passed over.
func TestErasedFactIsRefused(t *testing.T) {
	w := newWorld(t)
	r := &ledger.Record{Position: 1, Erased: true}
	r.Workspace, r.Stream, r.Type = "acme", "acme/workspace-acme", "workspace.token_revoked.v1"
	if err := access.New(w.f.Ring).Apply(context.Background(), r); err == nil || errors.Is(err, projections.ErrTransient) {
		t.Errorf("answered %v, want an error that stops the model", err)
	}
}

// acmeAgents registers agents with large names that can't be compressed.
func (w *world) acmeAgents(random []byte, n int) (last eventlog.Position) {
	w.Helper()
	for i := range n {
		if _, err := rand.Read(random); err != nil {
			w.Fatal(err)
		}
		last = w.put("acme/workspace-acme", workspace.AgentRegistered{Agent: domain.AgentID("ag_large" + string(rune('A'+i))),
			Name: base64.StdEncoding.EncodeToString(random), Roles: []domain.RoleName{domain.RoleAgent}, By: ann, At: now})
	}
	return last
}
