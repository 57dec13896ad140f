package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

func drafts(stream string, from, n int) []ledger.Draft {
	list := make([]ledger.Draft, n)
	for i := range list {
		list[i] = ledgertest.Draft(fmt.Sprint(stream, from+i), "test.happened.v1", fmt.Sprintf(`{"n":%d}`, from+i))
		list[i].Actor = domain.AgentActor("ag_1")
		list[i].Credential, list[i].Correlation, list[i].Cause = "tk_1", "order:7", "c0ffee"
	}
	return list
}

func mustAppend(t testing.TB, f *ledgertest.Fixture, stream string, tail ledger.Tail, list []ledger.Draft) ledger.Receipt {
	t.Helper()
	receipt, err := f.Append(context.Background(), stream, tail, list)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func readAll(t testing.TB, f *ledgertest.Fixture, stream string) (list []ledger.Record, err error) {
	t.Helper()
	for r, err := range f.ReadStream(context.Background(), stream, ledger.NoTail()) {
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

func TestAppendedRecordsReadBack(t *testing.T) {
	f := ledgertest.New(t)
	stream := "acme/execution-1"
	receipt := mustAppend(t, f, stream, ledger.NoTail(), drafts(stream, 0, 1))
	receipt = mustAppend(t, f, stream, receipt.Tail, drafts(stream, 1, 40)) // enough for all cores
	records, err := readAll(t, f, stream)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 41 {
		t.Fatalf("read %d records, want 41", len(records))
	}
	for i, r := range records {
		if want := fmt.Sprintf(`{"n":%d}`, i); string(r.Payload) != want || r.Revision != int64(i) {
			t.Errorf("record %d is revision %d with %s, want %s", i, r.Revision, r.Payload, want)
		}
		if r.Actor != "agent:ag_1" || r.Credential != "tk_1" || r.Correlation != "order:7" || r.Cause != "c0ffee" || r.Workspace != "acme" {
			t.Errorf("record %d has the header %+v", i, r.Header)
		}
	}
	last := records[40]
	if diff := cmp.Diff(receipt.Tail, last.Tail()); diff != "" || receipt.Position != last.Position {
		t.Errorf("the receipt's tail is not the last record's:\n%s", diff)
	}
}

// The payload is the contract with every checker elsewhere: any JOSE library
// checks it, and its members come in this order.
func TestRecordFormat(t *testing.T) {
	f := ledgertest.New(t)
	stream := "acme/execution-1"
	receipt := mustAppend(t, f, stream, ledger.NoTail(), drafts(stream, 0, 1))
	mustAppend(t, f, stream, receipt.Tail, drafts(stream, 1, 1))
	set, err := jwk.Parse(f.Keys.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	records, err := readAll(t, f, stream)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		payload, err := jws.Verify(r.JWS(), jws.WithKeySet(set))
		if err != nil {
			t.Fatalf("jwx does not accept the signature: %v", err)
		}
		var names []string
		decoder := json.NewDecoder(bytes.NewReader(payload))
		for depth := 0; ; {
			token, err := decoder.Token()
			if err != nil {
				break
			}
			if d, ok := token.(json.Delim); ok {
				depth += map[json.Delim]int{'{': 1, '}': -1}[d]
			} else if s, ok := token.(string); ok && depth == 1 {
				names = append(names, s)
				if _, err := decoder.Token(); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []string{"v", "ws", "stream", "rev", "type", "id", "time", "actor", "cred", "cor", "cau", "key", "data", "prev"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("members differ (-want +got):\n%s", diff)
		}
		if i == 0 && r.Prev != "" || i == 1 && r.Prev != records[0].Link {
			t.Errorf("record %d has prev %q", i, r.Prev)
		}
		message, err := jws.Parse(r.JWS())
		if err != nil {
			t.Fatal(err)
		}
		if h := message.Signatures()[0].ProtectedHeaders(); h.Type() != "claw-record+jws" || h.Algorithm() != "EdDSA" {
			t.Errorf("header says typ %q and alg %q", h.Type(), h.Algorithm())
		}
	}
}

// However an append fails, appending again with what was known before gives
// each record once.
func TestAppendFaults(t *testing.T) {
	for name, fault := range map[string]eventlogtest.Fault{"before": eventlogtest.Before, "lost": eventlogtest.Lost, "after": eventlogtest.After} {
		t.Run(name, func(t *testing.T) {
			broken := false
			faulty := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
				if stream == "acme/execution-1" && !broken {
					broken = true
					return fault
				}
				return eventlogtest.None
			})
			f := ledgertest.On(t, faulty, ledgertest.Keys(t))
			_, err := f.Append(context.Background(), "acme/execution-1", ledger.NoTail(), drafts("x", 0, 2))
			if fault == eventlogtest.Before {
				if !errors.Is(err, eventlog.ErrUnavailable) {
					t.Fatalf("got %v, want ErrUnavailable", err)
				}
				_, err = f.Append(context.Background(), "acme/execution-1", ledger.NoTail(), drafts("x", 0, 2))
			}
			if err != nil {
				t.Fatal(err)
			}
			if records, err := readAll(t, f, "acme/execution-1"); err != nil || len(records) != 2 {
				t.Errorf("the stream holds %d records (%v), want 2", len(records), err)
			}
		})
	}
}

// After an unknown outcome, "unavailable" is no answer: the first try may have
// been stored.
func TestUnknownThenUnavailableIsUnknown(t *testing.T) {
	tries := 0
	faulty := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
		if stream != "acme/execution-1" {
			return eventlogtest.None
		}
		if tries++; tries == 1 {
			return eventlogtest.After
		}
		return eventlogtest.Before
	})
	f := ledgertest.On(t, faulty, ledgertest.Keys(t))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.Append(ctx, "acme/execution-1", ledger.NoTail(), drafts("x", 0, 1)); !errors.Is(err, eventlog.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrUnknownOutcome", err)
	}
}

func TestTimeNeverRunsBack(t *testing.T) {
	f := ledgertest.New(t)
	late := drafts("s", 0, 1)
	late[0].Time = time.Now().Add(time.Hour)
	receipt := mustAppend(t, f, "acme/execution-1", ledger.NoTail(), late)
	receipt = mustAppend(t, f, "acme/execution-1", receipt.Tail, drafts("s", 1, 1))
	if records, err := readAll(t, f, "acme/execution-1"); err != nil || !records[1].Time.Equal(records[0].Time) {
		t.Errorf("the second record's time is %v after %v (%v)", records[1].Time, records[0].Time, err)
	}
}

func TestKeyStore(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	id := ledgercrypto.KeyID("aaaaaaaaaaaaaaaaaaaaaaaaaa.1")
	if _, _, err := f.Store.Get(ctx, "acme", id); !errors.Is(err, ledgercrypto.ErrKeyUnknown) {
		t.Errorf("a key that was never made: %v", err)
	}
	if err := f.Store.Put(ctx, "acme", id, []byte("wrapped")); err != nil {
		t.Fatal(err)
	}
	if err := f.Store.Put(ctx, "acme", id, []byte("other")); !errors.Is(err, ledgercrypto.ErrKeyExists) {
		t.Errorf("a second key under the id: %v", err)
	}
	if got, position, err := f.Store.Get(ctx, "acme", id); err != nil || string(got) != "wrapped" || position == 0 {
		t.Errorf("got %q at %d, %v", got, position, err)
	}
	if err := f.Store.Destroy(ctx, "acme", id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Store.Get(ctx, "acme", id); !errors.Is(err, ledgercrypto.ErrKeyErased) {
		t.Errorf("an erased key: %v", err)
	}
	if err := f.Store.Put(ctx, "acme", id, []byte("again")); !errors.Is(err, ledgercrypto.ErrKeyErased) {
		t.Errorf("a key in place of an erased one: %v", err)
	}
}

// Content whose key was erased reads as erased, and everything stays provable.
func TestErasedContent(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	list := drafts("s", 0, 3)
	list[1].Type, list[1].Subject = "content.prompt.v1", "subjecttag"
	mustAppend(t, f, "acme/execution-1", ledger.NoTail(), list)
	if _, err := f.Ring.Erase(ctx, "acme", "subjecttag"); err != nil {
		t.Fatal(err)
	}
	records, err := readAll(t, ledgertest.On(t, f.Log, f.Keys), "acme/execution-1")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		if r.Erased != (i == 1) || (r.Payload == nil) != (i == 1) {
			t.Errorf("record %d: erased is %v, payload %q", i, r.Erased, r.Payload)
		}
	}
	if report, err := ledger.Verify(ctx, f.Log, f.Keys.Verifier(), "", nil); err != nil || len(report.Bad) > 0 {
		t.Errorf("verification after erasure: %v, %v", report, err)
	}
}

func TestWrongKeysAreRefused(t *testing.T) {
	log, keys, ctx := ledgertest.Engine(t), ledgertest.Keys(t), context.Background()
	begin := func(keys *ledgercrypto.Dir) error {
		return ledgertest.On(t, log, keys).CheckKeys(ctx, keys.CheckValue(), [16]byte{1}, time.Now())
	}
	if err := begin(keys); err != nil {
		t.Fatal(err)
	}
	if err := begin(keys); err != nil {
		t.Errorf("the same keys again: %v", err)
	}
	if err := begin(ledgertest.Keys(t)); !errors.Is(err, ledger.ErrWrongKeys) {
		t.Errorf("other keys: %v", err)
	}
}

func TestSnapshots(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	stream := "acme/budget-book"
	receipt := mustAppend(t, f, stream, ledger.NoTail(), drafts(stream, 0, 3))
	dir := t.TempDir()
	cache, err := ledger.NewSnapshots(dir, f.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Save(ctx, stream, "budget/1", receipt.Tail, []byte("CANARY state")); err != nil {
		t.Fatal(err)
	}
	state, tail, ok := cache.Load(ctx, stream, "budget/1")
	if !ok || string(state) != "CANARY state" || tail != receipt.Tail {
		t.Errorf("loaded %q at %+v, %v", state, tail, ok)
	}
	if _, _, ok := cache.Load(ctx, stream, "budget/2"); ok {
		t.Error("a snapshot of another schema was taken")
	}
	lying := receipt.Tail
	lying.Digest = strings.Repeat("A", 43)
	if err := cache.Save(ctx, stream, "budget/1", lying, []byte("forged")); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := cache.Load(ctx, stream, "budget/1"); ok {
		t.Error("a snapshot that the log does not bear out was taken")
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch-%d", size), func(b *testing.B) {
			f := ledgertest.New(b)
			payload := strings.Repeat("x", 700)
			b.ReportAllocs()
			b.SetParallelism(64)
			var n int
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n++
					stream := fmt.Sprintf("acme/execution-%p-%d", pb, n)
					list := make([]ledger.Draft, size)
					for i := range list {
						list[i] = ledgertest.Draft(stream, "test.happened.v1", payload)
						list[i].ID[15] = byte(i)
					}
					if _, err := f.Append(context.Background(), stream, ledger.NoTail(), list); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
