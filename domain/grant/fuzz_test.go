package grant_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/grant"
)

// Whatever is stored, decoding never panics, and what it answers can be folded,
// written as a snapshot and decided on.
func FuzzDecode(f *testing.F) {
	f.Add("grant.given.v1", []byte(`{"grant":"gr_1","terms":{"kinds":["a.b"],"max_uses":3,"until":"2026-12-01T00:00:00Z"}}`))
	f.Add("grant.used.v1", []byte(`{"grant":"gr_1","execution":"ex_1","action":"ac_1","use":-1}`))
	f.Add("grant.revoked.v1", []byte(`null`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := grant.Decode(name, data)
		if err != nil {
			return
		}
		s := grant.State{}.Evolve(grant.Given{Grant: "gr_1", Terms: grant.Terms{MaxUses: 2}}).Evolve(event).Evolve(event)
		if _, err := json.Marshal(s); err != nil {
			t.Fatalf("a state after %s can't be written: %v", name, err)
		}
		_, _ = s.Decide(grant.Use{Candidates: []domain.GrantID{"gr_1"}, Execution: "ex_2", Action: "ac_2", At: time.Unix(1, 0)})
	})
}
