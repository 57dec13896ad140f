package schema_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain/schema"
)

func TestTexts(t *testing.T) {
	for _, row := range []struct {
		name, record, payload string
		want                  []string
	}{
		{"parameters at any depth and context, but no ids, digests and decisions", "execution.requested.v1",
			`{"execution":"ex_1","workflow":"invoices","context":{"why":"asked"},"action":{"id":"ac_1","kind":"payment.initiate","digest":"abc","params":{"to":{"bank":"DE02"},"lines":["one"],"n":7}},"decision":{"reason":"too much","rule":"r1"}}`,
			[]string{"one", "DE02", "asked"}},
		{"no parameters", "execution.action_requested.v1", `{"action":{"id":"ac_1","params":{}}}`, nil},
		{"what somebody approves", "approval.requested.v1", `{"params":{"text":"Dear Ada"},"reason":"large"}`, []string{"Dear Ada"}},
		{"reasons", "execution.failed.v1", `{"reason":"no stock"}`, []string{"no stock"}},
		{"reasons of rules", "policy.written.v1", `{"policy":{"rules":[{"id":"r1","reason":"too much"},{"id":"r2"}]}}`, []string{"too much", ""}},
		{"what was searched for is no word", "access.searched.v1", `{"q":"outcome:denied","reason":"ticket"}`, []string{"ticket"}},
		{"ids alone", "approval.approved.v1", `{}`, []string{""}},
	} {
		t.Run(row.name, func(t *testing.T) {
			event, err := schema.Decode(row.record, []byte(row.payload))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, schema.Texts(event)); diff != "" {
				t.Errorf("texts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryWordIsTaken fails for a fact with a member of words that Texts does
// not know: it holds the samples' reasons, names and descriptions against it.
func TestEveryWordIsTaken(t *testing.T) {
	for _, name := range facts() {
		event := decoded(t, name)
		var members map[string]any
		if err := json.Unmarshal([]byte(read(t, sample(name))), &members); err != nil {
			t.Fatal(err)
		}
		for _, member := range []string{"reason", "description", "name"} {
			text, ok := members[member].(string)
			if ok && text != "" && !slices.Contains(schema.Texts(event), text) && !spokenByTheLedger(name) {
				t.Errorf("%s says %q as its %s, which Texts does not take", name, text, member)
			}
		}
	}
}

// spokenByTheLedger reports whether a fact's reason is the ledger's own, the same
// words again and again.
func spokenByTheLedger(name string) bool {
	return name == "budget.released.v1" || name == "execution.action_denied.v1" || name == "system.operator_acted.v1" || name == "approval.requested.v1"
}

func TestContentTexts(t *testing.T) {
	for _, row := range []struct {
		name, payload string
		want          []string
	}{
		{"a prompt of messages", `{"salt":"xyz","body":[{"role":"user","content":"Pay it"},{"role":"user","content":[{"type":"text","text":"now"}]}]}`, []string{"Pay it", "now"}},
		{"a prompt of one text", `{"salt":"xyz","body":"Pay it"}`, []string{"Pay it"}},
		{"a person", `{"salt":"xyz","name":"Ada","email":"ada@example.com"}`, []string{"ada@example.com", "Ada"}},
		{"no JSON", `{"salt":"x`, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, schema.ContentTexts([]byte(row.payload))); diff != "" {
				t.Errorf("texts (-want +got):\n%s", diff)
			}
		})
	}
}
