package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clawoffice/ledger/commands"
	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventstoredb"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// TestOutcomeIsPassedOnAfterACrash leaves an approval approved and its
// execution waiting, as a crash between the two would: the next start brings
// the outcome to the execution.
func TestOutcomeIsPassedOnAfterACrash(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, c, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	made := o.agent.do(201, "POST", o.path("/executions"), `{"workflow":"pay","action":{"kind":"payment.initiate","params":{}}}`)
	stop()
	approveInTheLog(t, data, made.text("approval_id"), domain.Digest(made.text("action_digest")))

	_, c2, _ := startNode(t, serveCmd{Data: data}, io.Discard)
	o.agent.url = c2.url
	got := reply{}
	for end := time.Now().Add(time.Minute); got.text("status") != "authorized"; time.Sleep(5 * time.Millisecond) {
		if got = o.agent.do(200, "GET", o.path("/executions/"+made.text("id")), ""); time.Now().After(end) {
			t.Fatalf("the outcome was not passed on: %s", got)
		}
	}
	o.agent.do(200, "POST", o.path("/executions/"+made.text("id")+"/start"),
		fmt.Sprintf(`{"permit":%q,"action":{"kind":"payment.initiate","params":{}}}`, got.text("permit")))
}

// approveInTheLog records a vote of a supervisor, and nothing that follows.
func approveInTheLog(t *testing.T, data, id string, digest domain.Digest) {
	t.Helper()
	log, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	keys, _, err := ledgercrypto.OpenDir(filepath.Join(data, "keys"), ledgercrypto.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal(log, keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	votes := commands.NewHandler[approval.State, approval.Command](s.ledger, keys.Secret(), approval.Decode,
		commands.Options{Name: "approval", Forever: true, Streams: 1, Queue: 1, Now: time.Now})
	by := domain.MemberActor("mb_supervisor")
	r, err := votes.Do(t.Context(), ledger.ApprovalStream("acme", domain.ApprovalID(id)),
		commands.Call{Workspace: "acme", Actor: by, ID: keys.Secret().CommandID("acme", by, "test", "vote", id)},
		func(at time.Time) approval.Command {
			return approval.Vote{By: by, Roles: []domain.RoleName{"operations_supervisor"}, Choice: approval.Approve, Digest: digest, At: at}
		})
	if err != nil || r.State.Status != approval.StatusApproved {
		t.Fatalf("the vote ended as %s, %v", r.State.Status, err)
	}
}

// flow answers what a test says.
type flow struct{ load, follow error }

func (f flow) Approval(context.Context, domain.WorkspaceID, domain.ApprovalID) (approval.State, error) {
	return approval.State{}, f.load
}

func (f flow) FollowApproval(context.Context, domain.WorkspaceID, approval.State) error {
	return f.follow
}

func TestOutcomesGoOnPastWhatCanNotBeMended(t *testing.T) {
	tests := []struct {
		name string
		flow flow
		want error // nil: it goes on
	}{
		{"passed on", flow{}, nil},
		{"the approval's stream is forged", flow{load: commands.ErrIntegrity}, nil},
		{"the execution's stream is forged", flow{follow: commands.ErrIntegrity}, nil},
		{"refused", flow{follow: domain.Refuse(domain.Conflict, "execution_ended", "It is over.")}, nil},
		{"the log is away", flow{load: commands.ErrUnavailable}, projections.ErrTransient},
		{"too busy", flow{follow: commands.ErrBusy}, projections.ErrTransient},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := &outcomes{flow: test.flow, log: slog.New(slog.DiscardHandler)}
			err := o.Apply(t.Context(), &ledger.Record{Header: ledger.Header{Workspace: "acme", Stream: "acme/approval-ap_1"}})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestReadOnlyFace(t *testing.T) {
	dir := t.TempDir()
	n, c, _ := startNode(t, serveCmd{Data: filepath.Join(dir, "data"), EsdbFace: "127.0.0.1:0"}, io.Discard)
	openOffice(c.operator(filepath.Join(dir, "data", "keys")), "acme")
	log, err := eventstoredb.Open(t.Context(), n.faceAddr(), eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	records := 0
	for _, err := range log.Read(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		records++
	}
	if records < 5 {
		t.Errorf("the face shows %d records", records)
	}
	if _, err := log.Append(t.Context(), "acme/x-1", eventlog.NoStream, []eventlog.Event{{ID: [16]byte{1}, Type: "x", Meta: []byte("{}")}}); err == nil {
		t.Error("the face took an append")
	}
	verdictOf(t, 0, "--eventlog", n.faceAddr(), "--keys", filepath.Join(dir, "data", "keys"))
}

func TestTracesAreSent(t *testing.T) {
	var spans atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			spans.Add(1)
		}
	}))
	defer sink.Close()
	_, c, stop := startNode(t, serveCmd{Data: t.TempDir(), OTLPEndpoint: sink.URL}, io.Discard)
	c.do(200, "GET", "/healthz", "")
	stop() // which sends what is left
	if spans.Load() == 0 {
		t.Error("no traces were sent")
	}
}

// TestSecondSignalEndsAtOnce holds a call open, so that the first signal waits.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	p, c := serving(t, "--data", filepath.Join(t.TempDir(), "data"))
	half, err := http.NewRequest("POST", c.url+"/v1/invitations:accept", &endless{})
	if err != nil {
		t.Fatal(err)
	}
	half.Header.Set("Content-Type", "application/json")
	go func() {
		if r, err := http.DefaultClient.Do(half); err == nil {
			_ = r.Body.Close()
		}
	}()
	c.waitBusy(2)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	for end := time.Now().Add(time.Minute); !strings.Contains(p.errs.String(), "stopping"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first signal does nothing")
		}
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code == 0 {
		t.Error("it says that it ended in good order")
	}
}

// endless is a body that never ends.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		return copy(p, `{"`), nil
	}
	time.Sleep(20 * time.Millisecond)
	return copy(p, "x"), nil
}
