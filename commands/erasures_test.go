package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// erase orders the erasure of a subject, as the owner.
func (w *world) erase(key, subject string) (Erased, error) {
	return w.s.EraseSubject(context.Background(), w.call(w.owner, key), EraseSubject{Subject: subject, Reason: "request 7"})
}

// running is an execution of the agent's that runs.
func (w *world) running(key string) domain.ExecutionID {
	w.t.Helper()
	out := w.request(key, "llm.call")
	act := Action{Kind: "llm.call", Params: json.RawMessage(`{"amount":12}`)}
	_, _, err := w.s.Start(context.Background(), w.call(w.agent, key+" start"), out.Execution, "", out.Permit, act)
	w.must(err)
	return out.Execution
}

// say records a prompt about a subject.
func (w *world) say(key string, ex domain.ExecutionID, subject, text string) domain.PromptID {
	w.t.Helper()
	body, _ := json.Marshal(text)
	p, err := w.s.RecordPrompt(context.Background(), w.call(w.agent, key), ex,
		RecordPrompt{Model: "gpt", Content: body, PromptTokens: 10, MaxOutputTokens: 10, Subject: subject})
	w.must(err)
	return p.Prompt.Prompt
}

// texts answers what a fresh reader finds that was written in acme's facts of a
// kind, "erased" for what can't be read.
func (w *world) texts(kind string) (all []string) {
	w.t.Helper()
	reader := ledgertest.On(w.t, w.f.Log, w.f.Keys).Ledger
	for r, err := range reader.Read(context.Background(), eventlog.Query{TypePrefixes: []string{kind}}) {
		w.must(err)
		texts, erased, err := ledger.WrittenIn(context.Background(), reader, &r)
		w.must(err)
		if erased {
			texts = []string{"erased"}
		}
		all = append(all, strings.Trim(strings.Join(texts, " "), " "))
	}
	return all
}

const prompts = "execution.prompt_recorded."

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s are %.300q, want %q", what, got, want)
	}
}

func TestEraseSubject(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	ex := w.running("ask")
	first := w.say("one", ex, "ada", "about ada")
	w.say("two", ex, "bob", "about bob")
	large := strings.Repeat("much about ada ", 60_000)
	w.say("three", ex, "ada", large)
	done, err := w.erase("erase", "ada")
	if err != nil || done.Keys != 1 || done.Replayed || done.Subject != w.f.Keys.Secret().SubjectTag("acme", "ada") {
		t.Fatalf("erased %+v, %v", done, err)
	}
	same(t, "the prompts", w.texts(prompts), "erased", "about bob", "erased")

	// What comes afterwards is readable, also where it continues what was before.
	w.say("four", ex, "ada", "ada again")
	_, err = w.s.RecordCompletion(ctx, w.call(w.agent, "answer"), ex, first, RecordCompletion{Content: json.RawMessage(`"late answer"`), Usage: execution.Usage{}})
	w.must(err)
	w.say("five", ex, "ada", large)
	same(t, "the prompts", w.texts(prompts), "erased", "about bob", "erased", "ada again", strings.Trim(large, " "))
	same(t, "the answers", w.texts("execution.completion_recorded."), "late answer")

	// Repeats of what was before answer the same, and the erasure's spares what came since.
	w.restart()
	if again := w.say("one", ex, "ada", "about ada"); again != first {
		t.Errorf("a repeat made the prompt %s of %s", again, first)
	}
	w.say("three", ex, "ada", large)
	for _, later := range []time.Duration{0, 2 * time.Hour} { // in the second the stream has forgotten the call
		w.wait(later)
		again, err := w.erase("erase", "ada")
		if err != nil || again.Keys != 1 || again.Position != done.Position || again.Subject != done.Subject {
			t.Errorf("after %v a repeat answers %+v, %v, want %+v", later, again, err, done)
		}
	}
	same(t, "the prompts", w.texts(prompts)[3:], "ada again", strings.Trim(large, " "))
	if second, err := w.erase("erase more", "ada"); err != nil || second.Keys != 2 {
		t.Errorf("another erasure: %+v, %v", second, err)
	}
	same(t, "the prompts", w.texts(prompts), "erased", "about bob", "erased", "erased", "erased")
	if nobody, err := w.erase("nobody", "carl"); err != nil || nobody.Keys != 0 {
		t.Errorf("erasing whom nothing is about: %+v, %v", nobody, err)
	}
	if _, err := w.s.EraseSubject(ctx, w.call(w.owner, "none"), EraseSubject{Member: "mb_none", Reason: "r"}); code(err) != "member_unknown" {
		t.Errorf("erasing a member there is not: %v", err)
	}
	w.verified()
}

// Content that names no subject is under the key of who wrote it.
func TestEraseAnAgentsContent(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	ex := w.running("ask")
	prompt := w.say("one", ex, "", "by the agent")
	_, err := w.s.RecordCompletion(ctx, w.call(w.agent, "answer"), ex, prompt, RecordCompletion{Content: json.RawMessage(`"to the agent"`), Usage: execution.Usage{}})
	w.must(err)
	_, _, err = w.s.Complete(ctx, w.call(w.agent, "end"), ex, json.RawMessage(`"what came of it"`), "")
	w.must(err)
	if done, err := w.erase("erase", w.agent.String()); err != nil || done.Keys != 1 {
		t.Fatalf("erased %+v, %v", done, err)
	}
	same(t, "all", append(append(w.texts(prompts), w.texts("execution.completion_recorded.")...), w.texts("execution.completed.")...), "erased", "erased", "erased")
	w.verified()
}

// A member whose profile was erased goes on, and can be invited anew later.
func TestEraseMember(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	member := domain.MemberID(w.supervisor.ID)
	done, err := w.s.EraseSubject(ctx, w.call(w.owner, "erase"), EraseSubject{Member: member, Reason: "request 8"})
	if err != nil || done.Keys != 1 {
		t.Fatalf("erased %+v, %v", done, err)
	}
	same(t, "the profiles", w.texts("workspace.member_invited."), "o@acme.test Olga", "erased")
	w.restart()
	state, err := w.s.Workspace(ctx, "acme")
	w.must(err)
	if m, _ := state.Members.Get(member); !m.Erased || m.Status != workspace.Joined || !state.Allows(w.supervisor, domain.ApprovalDecide, w.s.now()) {
		t.Errorf("the member is %+v", m)
	}
	_, err = w.s.RemoveMember(ctx, w.call(w.owner, "remove"), member)
	w.must(err)
	_, err = w.s.InviteMember(ctx, w.call(w.owner, "again"), "s@acme.test", "Samantha", []domain.RoleName{domain.RoleMember})
	w.must(err)
	same(t, "the profiles", w.texts("workspace.member_invited."), "o@acme.test Olga", "erased", "s@acme.test Samantha")
	w.verified()
}

// verified checks the whole log with the public keys alone.
func (w *world) verified() {
	w.t.Helper()
	report, err := ledger.Verify(context.Background(), w.f.Log, w.f.Keys.Verifier(), "", nil)
	if err != nil || len(report.Bad) > 0 {
		w.t.Errorf("the log does not verify: %v %v", report.Bad, err)
	}
}

func TestErasureWithoutKeys(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	w.s.keys = nil
	if _, err := w.erase("erase", "ada"); err == nil || code(err) != "" || !strings.Contains(err.Error(), ErrUnavailable.Error()) {
		t.Errorf("without a key ring: %v", err)
	}
	if owed := w.owes().Entries.Len(); owed != 0 {
		t.Errorf("a refused erasure left %d steps", owed)
	}
}

// The service dies at each write of an erasure, before it is kept and after:
// the order, the destruction of each of two keys, and the note that it is done.
// An order that is in the log is carried out by another process; one that is not
// left everything as it was.
func TestErasureSurvivesACrashAtEachWrite(t *testing.T) {
	for _, kept := range []bool{false, true} {
		crashes := 0
		for done := false; !done; crashes++ {
			t.Run(fmt.Sprintf("write %d kept %v", crashes, kept), func(t *testing.T) { done = eraseAndCrash(t, kept, crashes) })
		}
		if crashes != 5 {
			t.Errorf("%d writes were tried, want 4 and none", crashes-1)
		}
	}
}

// eraseAndCrash reports whether the erasure ended before the write came.
func eraseAndCrash(t *testing.T, kept bool, at int) bool {
	log := &crashing{Log: ledgertest.Engine(t), kept: kept, at: at}
	w, ctx := newWorld(t, log), context.Background()
	ex := w.running("ask")
	w.say("one", ex, "ada", "one")
	_, err := ledgertest.On(t, log, w.f.Keys).Ring.Rotate(ctx, "acme", w.f.Keys.Secret().SubjectTag("acme", "ada"))
	w.must(err)
	w.restart() // so that the newer key is used
	w.say("two", ex, "ada", "two")
	w.say("three", ex, "bob", "three")
	log.armed = true
	_, _ = w.erase("erase", "ada")
	log.armed = false
	w.restart()
	ordered := at > 0 || kept
	if ordered && log.dead {
		w.say("four", ex, "ada", "four") // before the order is carried out
	}
	w.wait(process.Grace + time.Second)
	w.drain()
	if !ordered {
		same(t, "the prompts", w.texts(prompts), "one", "two", "three")
		return !log.dead
	}
	got := w.texts(prompts)
	same(t, "the prompts", got[:3], "erased", "erased", "three")
	w.say("five", ex, "ada", "five")
	same(t, "the last prompt", w.texts(prompts)[len(got):], "five")
	for range 2 { // by whoever calls again, and whoever holds the step for owed
		if again, err := w.erase("erase", "ada"); err != nil || again.Keys != 2 {
			t.Errorf("a repeat answers %+v, %v", again, err)
		}
		w.must(w.s.Perform(ctx, "acme", process.Command{Step: process.Erase, Erasure: domain.ErasureID(w.s.secret.DeriveID("er_", w.call(w.owner, "erase").ID, 0))}))
	}
	same(t, "the last prompt", w.texts(prompts)[len(got):], "five")
	if n := len(w.texts("workspace.subject_erased.")); n != 1 {
		t.Errorf("it is recorded %d times that the subject was erased", n)
	}
	w.verified()
	return !log.dead
}
