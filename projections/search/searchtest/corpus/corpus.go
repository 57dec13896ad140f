// Package corpus makes rows for tests and measurements of the audit search: as
// many as wanted, the same for the same seed, and shaped like what a company's
// agents do. Words are Zipf's of a vocabulary of 200,000; of the workspaces one
// has two fifths of everything.
package corpus

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// Shape of the corpus.
const (
	Workspaces = 20
	Vocabulary = 200_000
	Days       = 90
	MinWords   = 29
)

// Start is the time of the first row.
func Start() time.Time { return time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC) }

// Largest is the workspace that has two fifths of the rows.
const Largest domain.WorkspaceID = "ws0"

// Corpus makes rows one after another. It is for one goroutine.
type Corpus struct {
	random *rand.Rand
	zipf   *rand.Zipf
	next   eventlog.Position
	step   time.Duration // between rows, on average
	now    time.Time
	runs   [Workspaces]run
	tags   []search.Tag // of each workspace's words, made when first needed
}

// run is an execution that is going on in a workspace.
type run struct {
	execution, correlation string
	left                   int
	agent                  int
	workflow               string
}

// New makes a Corpus of so many rows over 90 days.
func New(seed uint64, rows int) *Corpus {
	random := rand.New(rand.NewPCG(seed, 0x5eed))
	return &Corpus{random: random, zipf: rand.NewZipf(random, 1.07, 4, Vocabulary-1),
		step: Days * 24 * time.Hour / time.Duration(max(rows, 1)), now: Start(), tags: make([]search.Tag, Workspaces*Vocabulary)}
}

// Word is the nth word of the vocabulary, the most frequent first.
func Word(n int) string {
	const syllables = "babebibobudadedidodufafefifofugagegigoguhaheh"
	var b strings.Builder
	for n++; n > 0; n /= 21 {
		b.WriteString(syllables[2*(n%21) : 2*(n%21)+2])
	}
	return b.String()
}

// TagOf stands for the nth word in a workspace, as a keyed tag would.
func TagOf(workspace, n int) (t search.Tag) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(workspace)+1)
	binary.LittleEndian.PutUint64(b[8:], uint64(n))
	sum := sha256.Sum256(b[:])
	copy(t[:], sum[:])
	return t
}

func (c *Corpus) tag(workspace, n int) search.Tag {
	at := &c.tags[workspace*Vocabulary+n]
	if *at == (search.Tag{}) {
		*at = TagOf(workspace, n)
	}
	return *at
}

// Batch makes the next n rows.
func (c *Corpus) Batch(n int) search.Batch {
	b := search.Batch{From: c.next, Rows: make([]search.Row, n)}
	for i := range b.Rows {
		b.Rows[i] = c.row()
	}
	b.To = c.next
	return b
}

func (c *Corpus) id(prefix string) string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], c.random.Uint64())
	binary.LittleEndian.PutUint64(b[8:], c.random.Uint64())
	return prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// pick prefers what comes first.
func (c *Corpus) pick(list ...string) string {
	n := c.random.IntN(len(list))
	return list[c.random.IntN(n+1)]
}

// Agent is the nth agent of a workspace; there are 60, the first the busiest.
func Agent(n int) domain.Actor { return domain.AgentActor(domain.AgentID(fmt.Sprintf("ag_%026d", n))) }

const agents = 60

func (c *Corpus) row() search.Row {
	w := 0
	if c.random.IntN(10) >= 4 {
		w = 1 + c.random.IntN(Workspaces-1)
	}
	c.next++
	c.now = c.now.Add(time.Duration(c.random.Int64N(int64(2 * c.step)))).Truncate(time.Microsecond)
	e := &c.runs[w]
	if e.left == 0 {
		*e = run{c.id("ex_"), c.id(""), 3 + c.random.IntN(12), c.random.IntN(1 + c.random.IntN(agents)),
			c.pick("invoices", "support", "purchasing", "payroll", "onboarding", "research", "reports", "crm-sync")}
	}
	e.left--
	ws := domain.WorkspaceID(fmt.Sprintf("ws%d", w))
	r := search.Row{Workspace: ws, Position: c.next, Time: c.now, Actor: Agent(e.agent),
		Stream: string(ws) + "/execution-" + e.execution, Execution: domain.ExecutionID(e.execution), Workflow: domain.Workflow(e.workflow),
		Outcome: "allowed", Severity: 1, Credential: domain.CredentialID(fmt.Sprintf("tk_%026d", e.agent)), Correlation: e.correlation, Class: "execution"}
	binary.LittleEndian.PutUint64(r.ID[:], c.random.Uint64())
	binary.LittleEndian.PutUint64(r.ID[8:], c.random.Uint64())
	if c.random.IntN(2) == 0 {
		c.prompt(&r)
	} else {
		c.action(&r)
	}
	r.Tags = make([]search.Tag, MinWords+c.random.IntN(3))
	for i := range r.Tags {
		r.Tags[i] = c.tag(w, int(c.zipf.Uint64()))
	}
	return r
}

func (c *Corpus) prompt(r *search.Row) {
	r.Type = c.pick("execution.prompt_recorded.v1", "execution.completion_recorded.v1")
	r.Model = domain.Model(c.pick("gpt-4o", "claude-sonnet-4", "gpt-4o-mini", "gemini-2.5-pro", "mistral-large"))
	r.PromptTokens = domain.Tokens(c.random.IntN(8000))
	r.OutputTokens = domain.Tokens(c.random.IntN(2000))
	r.Cost = domain.Micros(r.PromptTokens*3 + r.OutputTokens*12)
	r.Class = "content"
	r.Subject = domain.SubjectTag(fmt.Sprintf("subject%019d", c.random.IntN(500)))
}

func (c *Corpus) action(r *search.Row) {
	r.Type = c.pick("execution.action_requested.v1", "execution.action_started.v1", "execution.action_authorized.v1", "approval.requested.v1",
		"approval.approved.v1", "execution.completed.v1", "budget.reserved.v1")
	r.Action = domain.ActionKind(c.pick("mail.send", "crm.update", "payment.initiate", "file.read", "payment.refund", "ticket.close", "contract.sign"))
	r.Policy, r.Rule = "main", domain.RuleID(c.pick("allow-small", "ask-finance", "deny-night", "limit-refunds"))
	switch n := c.random.IntN(100); {
	case n < 6:
		r.Outcome, r.Severity = "denied", 3
	case n < 9:
		r.Outcome, r.Severity = "failed", 4
	case n < 20:
		r.Outcome, r.Approval = "waiting", domain.ApprovalID(c.id("ap_"))
	}
}
