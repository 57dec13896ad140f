package journal_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/journal"
)

var day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func samples() []journal.Event {
	return []journal.Event{
		journal.Denied{Method: "GET", Path: "/v1/workspaces/{ws}", Code: "permission_denied", Permission: domain.AuditSearch, Count: 3},
		journal.ContentOpened{Records: []string{"r1", "r2"}, Reason: "ticket 12"},
		journal.Searched{Query: "outcome:denied", From: &day, Reason: "ticket 12"},
		journal.Exported{Query: "outcome:denied", Until: &day, Format: "csv", Reason: "audit"},
		journal.OperatorActed{Action: "suspend", Workspace: "acme", Reason: "unpaid"},
	}
}

func TestKeepsWhatItIsGiven(t *testing.T) {
	for _, e := range samples() {
		t.Run(e.EventType(), func(t *testing.T) {
			domaintest.Given[journal.State](samples()...).When(journal.Command{Event: e}).Then(t, e)
		})
	}
}

func TestDecode(t *testing.T) {
	for _, want := range samples() {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := journal.Decode(want.EventType(), data)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", want.EventType(), err, diff)
		}
		if _, err := journal.Decode(want.EventType(), []byte(`[`)); err == nil || errors.Is(err, journal.ErrUnknownEvent) {
			t.Errorf("%s: broken data answered %v", want.EventType(), err)
		}
	}
	if _, err := journal.Decode("access.denied.v0", nil); !errors.Is(err, journal.ErrUnknownEvent) {
		t.Errorf("unknown name answered %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range samples() {
		data, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.EventType(), data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if e, err := journal.Decode(name, data); err == nil && e.EventType() != name {
			t.Fatalf("%s was read as %s", name, e.EventType())
		}
	})
}
