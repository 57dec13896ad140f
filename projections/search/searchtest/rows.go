package searchtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

func noon() time.Time { return time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) }

// Values that meet each other often, and where engines may slip: prefixes of
// each other, what SQL and patterns treat specially, nothing at all.
var (
	actors  = []domain.Actor{{}, {Kind: "agent", ID: "ag_7"}, {Kind: "agent", ID: "ag_71"}, {Kind: "member", ID: "ag_7"}, {Kind: "operator", ID: "operator"}}
	actions = []domain.ActionKind{"", "payment.initiate", "payment.refund", "payments", "payment_initiate", "Payment.initiate", "pay%", "mail.send"}
	models  = []domain.Model{"", "gpt-4o", "gpt-4o-mini", "gpt", "o'neil\\", "größe-日本"}
	costs   = []domain.Micros{0, 1, 4_999_999, 5_000_000, 5_000_001, -3, 1 << 62}
	tokens  = []domain.Tokens{0, 1, 100, 1 << 40}
	classes = []search.Class{"", "content", "access"}
	members = []domain.SubjectTag{"", "subject-a", "subject-b"}
)

// tagOf is the nth of a few tags. Some differ in the last or first bits alone.
func tagOf(n int) search.Tag {
	switch n {
	case 0:
		return search.Tag{}
	case 1:
		return search.Tag{7: 1}
	case 2:
		return search.Tag{0: 0x80}
	case 3:
		return search.Tag{' ', '"', '*', '(', ')', '\'', 0, '\n'}
	}
	return search.Tag{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, byte(n >> 8), byte(n)}
}

const tagCount = 12

// maker makes rows that depend on its seed alone.
type maker struct {
	*rand.Rand
	at eventlog.Position
}

func newMaker(seed uint64) *maker { return &maker{Rand: rand.New(rand.NewPCG(seed, 1))} }

func one[T any](m *maker, list []T) T { return list[m.IntN(len(list))] }

// batch makes n rows, with positions of other records between them.
func (m *maker) batch(n int) search.Batch {
	b := search.Batch{From: m.at}
	for range n {
		m.at += eventlog.Position(1 + m.IntN(3))
		b.Rows = append(b.Rows, m.row())
	}
	m.at += eventlog.Position(m.IntN(2))
	b.To = m.at
	return b
}

func (m *maker) row() search.Row {
	ws := workspaces()[m.IntN(3)*m.IntN(2)] // the first has two thirds
	execution := fmt.Sprintf("ex_%d", m.IntN(40))
	r := search.Row{Workspace: ws, Position: m.at, Time: noon().Add(time.Duration(m.at)*10*time.Second + time.Duration(m.IntN(90_000_000)-45_000_000)*time.Microsecond),
		Actor: one(m, actors), Type: fmt.Sprintf("execution.thing_%d.v1", m.IntN(6)), Stream: string(ws) + "/execution-" + execution,
		Execution: domain.ExecutionID(execution), Workflow: domain.Workflow(fmt.Sprint("wf", m.IntN(3))), Action: one(m, actions),
		Outcome: []string{"", "allowed", "denied"}[m.IntN(3)], Severity: uint8(m.IntN(7)), Model: one(m, models),
		PromptTokens: one(m, tokens), OutputTokens: one(m, tokens), Cost: one(m, costs), Policy: domain.PolicyID([]string{"", "main"}[m.IntN(2)]),
		Rule: domain.RuleID(fmt.Sprint("r", m.IntN(4))), Approval: domain.ApprovalID(fmt.Sprint("ap_", m.IntN(50))),
		Credential: domain.CredentialID(fmt.Sprint("tk_", m.IntN(5))), Correlation: fmt.Sprint("cor-", m.IntN(1000)),
		Class: one(m, classes), Subject: one(m, members)}
	for i := range r.ID {
		r.ID[i] = byte(m.Uint32())
	}
	for range m.IntN(6) {
		r.Tags = append(r.Tags, tagOf(m.IntN(tagCount)))
	}
	return r
}
