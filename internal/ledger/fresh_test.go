package ledger_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// altering is a log whose answers are changed on the way.
type altering struct {
	eventlog.Log
	alter func(*eventlog.Recorded)
}

func (a *altering) Read(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		for r, err := range a.Log.Read(ctx, q) {
			a.alter(&r)
			if !yield(r, err) {
				return
			}
		}
	}
}

// What was just sealed here reads the same as what another process opens.
func TestFreshRecordsReadAsOpenedOnes(t *testing.T) {
	f := ledgertest.New(t)
	list := drafts("fresh", 0, 5)
	list[1].Type, list[1].Subject = "content.prompt.v1", domain.SubjectTag("somebody")
	list[2].Actor, list[2].Credential, list[2].Correlation, list[2].Cause = domain.AgentActor("ag_1"), "tk_1", "corr", "0123"
	list[3].Payload = make([]byte, 100_000)
	if _, err := f.Append(context.Background(), "acme/execution-1", ledger.NoTail(), list); err != nil {
		t.Fatal(err)
	}
	other := ledgertest.On(t, f.Log, f.Keys)
	read := func(l *ledger.Ledger) (all []ledger.Record) {
		for r, err := range l.ReadStream(context.Background(), "acme/execution-1", ledger.NoTail()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		return all
	}
	mine, opened := read(f.Ledger), read(other.Ledger)
	if len(mine) != 5 {
		t.Fatalf("%d records", len(mine))
	}
	if diff := cmp.Diff(opened, mine, cmpopts.IgnoreUnexported(ledger.Record{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// A record that was sealed here lately is taken as read only from the same
// bytes at the same place.
func TestFreshRecordsAreComparedWithTheLog(t *testing.T) {
	for name, alter := range map[string]func(*eventlog.Recorded){
		"ciphertext": func(r *eventlog.Recorded) { r.Data = append([]byte{r.Data[0] ^ 1}, r.Data[1:]...) },
		"metadata": func(r *eventlog.Recorded) {
			r.Meta = append([]byte{}, r.Meta...)
			r.Meta[300] ^= 1 // in the signed payload
		},
		"stream":   func(r *eventlog.Recorded) { r.Stream = "acme/execution-2" },
		"revision": func(r *eventlog.Recorded) { r.Revision += 3 },
		"type":     func(r *eventlog.Recorded) { r.Type = "execution.other.v1" },
		"id":       func(r *eventlog.Recorded) { r.ID[3] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			log := &altering{ledgertest.Engine(t), func(*eventlog.Recorded) {}}
			f := ledgertest.On(t, log, ledgertest.Keys(t))
			if _, err := f.Append(context.Background(), "acme/execution-1", ledger.NoTail(), drafts("fresh", 0, 1)); err != nil {
				t.Fatal(err)
			}
			log.alter = alter
			for r, err := range f.Read(context.Background(), eventlog.Query{Stream: "acme/execution-1"}) {
				if err == nil {
					t.Errorf("took %s@%d for what was sealed", r.Stream, r.Revision)
				}
			}
		})
	}
}

// counting counts the reads of single records.
type counting struct {
	eventlog.Log
	reads atomic.Int64
}

func (c *counting) Read(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	c.reads.Add(1)
	return c.Log.Read(ctx, q)
}

// Content that rides between facts is not delivered to who wants the facts
// alone, and leaves no gap in the chain that would have to be read.
func TestContentIsReadAlongForTheChain(t *testing.T) {
	log := &counting{Log: ledgertest.Engine(t)}
	f := ledgertest.On(t, log, ledgertest.Keys(t))
	tail, facts := ledger.NoTail(), 0
	for i := range 40 {
		list := drafts(fmt.Sprint("x", i), 0, 1)
		list[0].Type = "execution.prompt_recorded.v1"
		if facts++; i%2 == 0 {
			list[0].Type = "content.prompt.v1"
			facts--
		}
		receipt, err := f.Append(context.Background(), "acme/execution-1", tail, list)
		if err != nil {
			t.Fatal(err)
		}
		tail = receipt.Tail
	}
	other := ledgertest.On(t, log, f.Keys) // as after a restart
	log.reads.Store(0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen := 0
	for d, err := range other.Follow(ctx, eventlog.Query{TypePrefixes: []string{"execution.", "budget."}}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.CaughtUp {
			break
		}
		if d.Record != nil {
			seen++
			if ledger.IsContent(d.Record.Type) {
				t.Error("content was delivered")
			}
		}
	}
	if reads := log.reads.Load(); seen != facts || reads > 5 { // of keys
		t.Errorf("%d facts of %d, %d reads", seen, facts, reads)
	}
}
