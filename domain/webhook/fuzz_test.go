package webhook_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain/webhook"
)

// Whatever is stored, decoding never panics, and what it answers can be folded,
// written as a snapshot and decided on.
func FuzzDecode(f *testing.F) {
	f.Add("webhook.registered.v1", []byte(`{"webhook":"wh_1","url":"https://a.test","secret":1}`))
	f.Add("webhook.attempt_failed.v1", []byte(`{"notice":{"delivery":"dl_1","type":"webhook.test"},"attempt":-3,"next":"2026-12-01T00:00:00Z"}`))
	f.Add("webhook.changed.v1", []byte(`null`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := webhook.Decode(name, data)
		if err != nil {
			return
		}
		s := webhook.State{}.Evolve(webhook.Registered{Webhook: "wh_1", URL: "https://a.test", Secret: 1}).Evolve(event).Evolve(event)
		if _, err := json.Marshal(s); err != nil {
			t.Fatalf("a state after %s can't be written: %v", name, err)
		}
		n := webhook.Notice{Delivery: "dl_1", Type: webhook.Test}
		_, _ = s.Due(n, time.Unix(1, 0))
		_, _ = s.Decide(webhook.RecordAttempt{Notice: n, Attempt: 1, At: time.Unix(1, 0)})
	})
}
