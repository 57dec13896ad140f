package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain/schema"
)

func TestTexts(t *testing.T) {
	for _, row := range []struct {
		name, record, payload string
		want                  []string
	}{
		{"a prompt of messages", "content.prompt.v1", `{"salt":"xyz","body":[{"role":"user","content":"Pay it"},{"role":"user","content":[{"type":"text","text":"now"}]}]}`, []string{"Pay it", "now"}},
		{"a prompt of one text", "content.prompt.v1", `{"salt":"xyz","body":"Pay it"}`, []string{"Pay it"}},
		{"a person", "content.member.v1", `{"salt":"xyz","name":"Ada","email":"ada@example.com"}`, []string{"ada@example.com", "Ada"}},
		{"parameters at any depth, but no ids and digests", "execution.requested.v1",
			`{"execution":"ex_1","workflow":"invoices","action":{"id":"ac_1","kind":"payment.initiate","digest":"abc","params":{"to":{"bank":"DE02"},"lines":["one"],"n":7}},"decision":{"reason":"too much","rule":"r1"}}`,
			[]string{"one", "DE02", "too much"}},
		{"a reason", "execution.failed.v1", `{"reason":"no stock","at":"2026-01-01T00:00:00Z"}`, []string{"no stock"}},
		{"what was searched for is no word", "access.searched.v1", `{"q":"outcome:denied"}`, nil},
		{"no JSON", "content.part.v1", `{"salt":"x`, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, schema.Texts(row.record, []byte(row.payload))); diff != "" {
				t.Errorf("texts (-want +got):\n%s", diff)
			}
		})
	}
}
