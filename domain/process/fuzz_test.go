package process_test

import (
	"encoding/json"
	"testing"

	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/schema"
)

// Any two events, in any stream, can be folded one after the other, and what is
// remembered then survives its rows.
func FuzzEvolve(f *testing.F) {
	f.Add("approval.requested.v1", []byte(`{"approval":"ap_1","requirement":{"escalate":{"after":"1h"}}}`), "approval.approved.v1", []byte(`{}`), "ap_1")
	f.Add("webhook.registered.v1", []byte(`{"types":["approval.requested"]}`), "webhook.attempt_failed.v1", []byte(`{"notice":{}}`), "wh_1")
	f.Add("execution.requested.v1", []byte(`{"execution":"ex_1","approval":"ap_1"}`), "execution.cancelled.v1", []byte(`{}`), "ex_1")
	f.Add("workspace.subject_erasure_ordered.v1", []byte(`{"erasure":"er_1","subject":"s"}`), "workspace.subject_erased.v1", []byte(`{"erasure":"er_1"}`), "acme")
	f.Fuzz(func(t *testing.T, first string, one []byte, second string, two []byte, stream string) {
		var s process.State
		for _, e := range []struct {
			name string
			data []byte
		}{{first, one}, {second, two}, {first, one}} {
			event, err := schema.Decode(e.name, e.data)
			if err != nil {
				return
			}
			s, _ = s.Evolve(process.Happened{Workspace: "acme", Stream: stream, Record: "r", Time: at(0), Event: event})
		}
		for key, e := range s.Entries.All() {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatalf("%s can't be written: %v", key, err)
			}
			var back process.Entry
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatalf("%s can't be read back: %v", key, err)
			}
			if e.Owed != nil && e.Owed.Command.Key() != key {
				t.Fatalf("%s is kept under %s", e.Owed.Command.Key(), key)
			}
		}
	})
}
