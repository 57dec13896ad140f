// Package projectionstest makes histories to test and measure read models by,
// and tells what a measurement cost. Its mixed history ([Mixed]) is what
// offices leave behind: everything in it was sealed by a real ledger, and every
// aggregate has a part in it, so that every projection has work.
package projectionstest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// What tells how large histories are and where they are kept. Without a size
// they are small; without a directory they are made for the occasion, otherwise
// once, so that a large one can be measured again and again.
const (
	RecordsVariable = "CLAWLEDGER_BENCH_RECORDS"
	DirVariable     = "CLAWLEDGER_BENCH_DIR"
)

// edition is a part of the name of a history that is kept. It changes with what
// the makers of histories write, here and in the packages that have their own.
const edition = 4

// large is a size that takes a while.
const large = 200_000

// Fill appends about as many records as it is asked for to an empty ledger, and
// answers how many they are.
type Fill func(tb testing.TB, f *ledgertest.Fixture, records int) int

// History answers a ledger that holds what fill appends, and how many records
// that is. few is the size where the environment does not say one.
func History(tb testing.TB, name string, few int, fill Fill) (*ledgertest.Fixture, int) {
	tb.Helper()
	size := few
	if s := os.Getenv(RecordsVariable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			tb.Fatalf("%s=%q must be a number of records", RecordsVariable, s)
		}
		size = n
	}
	dir := tb.TempDir()
	if kept := os.Getenv(DirVariable); kept != "" {
		dir = filepath.Join(kept, fmt.Sprintf("history-%s-%d-%d", name, edition, size))
	}
	ready := filepath.Join(dir, "ready")
	text, err := os.ReadFile(ready)
	if err != nil { // not there, or its making was cut short
		return made(tb, dir, ready, size, fill)
	}
	records, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		tb.Fatalf("%s holds no number; delete %s to have the history made again", ready, dir)
	}
	return open(tb, dir, false), records
}

func made(tb testing.TB, dir, ready string, size int, fill Fill) (*ledgertest.Fixture, int) {
	tb.Helper()
	if err := os.RemoveAll(dir); err != nil {
		tb.Fatal(err)
	}
	f := open(tb, dir, true)
	if size >= large {
		fmt.Fprintf(os.Stderr, "making a history of %d records, which takes about a minute for a million …\n", size)
	}
	records := fill(tb, f, size)
	if tb.Failed() {
		tb.FailNow()
	}
	if err := os.WriteFile(ready, []byte(strconv.Itoa(records)), 0o600); err != nil {
		tb.Fatal(err)
	}
	return f, records
}

func open(tb testing.TB, dir string, isNew bool) *ledgertest.Fixture {
	tb.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		tb.Fatal(err)
	}
	log, err := sqlite.Open(context.Background(), filepath.Join(dir, "log"), sqlite.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = log.Close() })
	keys, _, err := ledgercrypto.OpenDir(filepath.Join(dir, "keys"), ledgercrypto.OpenOptions{Create: isNew})
	if err != nil {
		tb.Fatal(err)
	}
	return ledgertest.On(tb, log, keys)
}

// writers is how many append at once; the engine makes one transaction of what
// they have at hand.
const writers = 128

// Spread calls f with the numbers below n from many writers at once.
func Spread(n int, f func(i int)) {
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := w; i < n; i += writers {
				f(i)
			}
		})
	}
	work.Wait()
}

// Draft is the record of an event as commands write it, by an agent; name makes
// its id.
func Draft(tb testing.TB, name string, e domain.Event) ledger.Draft {
	tb.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		tb.Error(err)
	}
	d := ledgertest.Draft(name, e.EventType(), "")
	d.Payload = ledger.WrapFact("pW0mR3o9yqk1uVxZ2sTfGA", data)
	d.Actor, d.Credential, d.Cause = domain.AgentActor("ag_01"), "tk_aaaaaaaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef0123456789abcdef"
	return d
}
