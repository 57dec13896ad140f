package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// held is a log that holds what a test put there; it reads only.
type held struct {
	eventlog.Log
	records []eventlog.Recorded
}

func (h held) Read(_ context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		for _, r := range h.records {
			if (q.Stream == "" || r.Stream == q.Stream && r.Revision >= q.From) && !yield(r, nil) {
				return
			}
		}
	}
}

// stored answers a copy of everything a log holds.
func stored(t *testing.T, log eventlog.Log) []eventlog.Recorded {
	t.Helper()
	var list []eventlog.Recorded
	for r, err := range log.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		r.Data, r.Meta = slices.Clone(r.Data), slices.Clone(r.Meta)
		list = append(list, r)
	}
	return list
}

// smallLog is a log with two workspaces, three streams and a key for each.
func smallLog(t *testing.T) (*ledgertest.Fixture, []eventlog.Recorded) {
	t.Helper()
	f := ledgertest.New(t)
	for _, stream := range []string{"acme/execution-1", "acme/execution-2", "other/execution-1"} {
		mustAppend(t, f, stream, ledger.NoTail(), drafts(stream, 0, 3))
	}
	return f, stored(t, f.Log)
}

// remembering checks each signature once, so that a test can verify a log some
// thousand times of which one record differs.
type remembering struct {
	ledger.SignatureChecker
	known *sync.Map
}

func (r remembering) Verify(jws []byte, typ ledgercrypto.Typ) ([]byte, string, error) {
	type answer struct {
		payload []byte
		kid     string
		err     error
	}
	if a, ok := r.known.Load(string(jws)); ok {
		return a.(answer).payload, a.(answer).kid, a.(answer).err
	}
	payload, kid, err := r.SignatureChecker.Verify(jws, typ)
	r.known.Store(string(jws), answer{payload, kid, err})
	return payload, kid, err
}

func verify(t *testing.T, f *ledgertest.Fixture, records []eventlog.Recorded) *ledger.Report {
	t.Helper()
	return verifyWith(t, f.Keys.Verifier(), records)
}

func verifyWith(t *testing.T, checker ledger.SignatureChecker, records []eventlog.Recorded) *ledger.Report {
	t.Helper()
	report, err := ledger.Verify(context.Background(), held{records: records}, checker, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// names reports whether the first bad record of a report is this one.
func names(report *ledger.Report, stream string, revision int64) bool {
	return len(report.Bad) > 0 && report.Bad[0].Stream == stream && report.Bad[0].Revision == revision
}

func TestEveryByteCounts(t *testing.T) {
	f, records := smallLog(t)
	if report := verify(t, f, records); len(report.Bad) != 0 || report.Records != int64(len(records)) {
		t.Fatalf("the untouched log: %+v", report)
	}
	checker := remembering{f.Keys.Verifier(), &sync.Map{}}
	for i := range records {
		r := &records[i]
		for part, bytes := range map[string][]byte{"ciphertext": r.Data, "metadata": r.Meta, "id": r.ID[:]} {
			for at := range bytes {
				bytes[at] ^= 0x20
				if report := verifyWith(t, checker, records); !names(report, r.Stream, r.Revision) || len(report.Bad) > 2 {
					t.Errorf("byte %d of the %s of %s@%d was flipped; found %v", at, part, r.Stream, r.Revision, report.Bad)
				}
				bytes[at] ^= 0x20
			}
		}
	}
}

func TestTamperedLogs(t *testing.T) {
	f, records := smallLog(t)
	at := func(stream string, revision int64) int {
		return slices.IndexFunc(records, func(r eventlog.Recorded) bool { return r.Stream == stream && r.Revision == revision })
	}
	foreign := ledgertest.On(t, ledgertest.Engine(t), ledgertest.Keys(t))
	mustAppend(t, foreign, "acme/execution-1", ledger.NoTail(), drafts("acme/execution-1", 0, 3))
	forged := stored(t, foreign.Log)
	tests := []struct {
		name     string
		change   func(list []eventlog.Recorded) []eventlog.Recorded
		stream   string
		revision int64
	}{
		{"a row deleted from the middle", func(l []eventlog.Recorded) []eventlog.Recorded {
			i := at("acme/execution-1", 1)
			return slices.Delete(l, i, i+1)
		}, "acme/execution-1", 2},
		{"a row deleted and the next renumbered", func(l []eventlog.Recorded) []eventlog.Recorded {
			i := at("acme/execution-1", 1)
			l[i+1].Revision = 1
			return slices.Delete(l, i, i+1)
		}, "acme/execution-1", 1},
		{"two rows swapped", func(l []eventlog.Recorded) []eventlog.Recorded {
			i := at("acme/execution-1", 1)
			l[i].Event, l[i+1].Event = l[i+1].Event, l[i].Event
			return l
		}, "acme/execution-1", 1},
		{"a row copied to another stream", func(l []eventlog.Recorded) []eventlog.Recorded {
			l[at("acme/execution-2", 1)].Event = l[at("acme/execution-1", 1)].Event
			return l
		}, "acme/execution-2", 1},
		{"a row copied to another workspace", func(l []eventlog.Recorded) []eventlog.Recorded {
			l[at("other/execution-1", 2)].Event = l[at("acme/execution-1", 2)].Event
			return l
		}, "other/execution-1", 2},
		{"a row appended twice", func(l []eventlog.Recorded) []eventlog.Recorded {
			again := l[at("acme/execution-1", 2)]
			again.Revision, again.Position = 3, 1<<40
			return append(l, again)
		}, "acme/execution-1", 3},
		{"a record signed with a foreign key", func(l []eventlog.Recorded) []eventlog.Recorded {
			l[at("acme/execution-1", 0)].Event = forged[len(forged)-3].Event
			return l
		}, "acme/execution-1", 0},
		{"another type", func(l []eventlog.Recorded) []eventlog.Recorded {
			l[at("acme/execution-1", 0)].Type = "test.other.v1"
			return l
		}, "acme/execution-1", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changed := test.change(slices.Clone(records))
			if report := verify(t, f, changed); !names(report, test.stream, test.revision) {
				t.Errorf("want %s@%d named first, got %v", test.stream, test.revision, report.Bad)
			}
		})
	}
}

// A reader with the keys takes nothing that was not written here: what a writer
// without the keys can do to the log changes no state.
func TestForgedRecordsDoNotOpen(t *testing.T) {
	tests := map[string]func(t *testing.T, find finder) eventlog.Event{
		"the record of another revision":  func(_ *testing.T, find finder) eventlog.Event { return find("acme/execution-1", 1).Event },
		"the record of another stream":    func(_ *testing.T, find finder) eventlog.Event { return find("acme/execution-2", 2).Event },
		"the record of another workspace": func(_ *testing.T, find finder) eventlog.Event { return find("other/execution-1", 2).Event },
		"a ciphertext of this stream under a foreign signature": func(t *testing.T, find finder) eventlog.Event {
			return foreignRecord(t, find("acme/execution-1", 2), find("acme/execution-1", 1).Data)
		},
		"a ciphertext of another workspace under a foreign signature": func(t *testing.T, find finder) eventlog.Event {
			return foreignRecord(t, find("acme/execution-1", 2), find("other/execution-1", 2).Data)
		},
	}
	for name, forge := range tests {
		t.Run(name, func(t *testing.T) {
			f, records := smallLog(t)
			event := forge(t, func(stream string, revision int64) eventlog.Recorded {
				return records[slices.IndexFunc(records, func(r eventlog.Recorded) bool { return r.Stream == stream && r.Revision == revision })]
			})
			if _, err := f.Log.Append(context.Background(), "acme/execution-1", 2, []eventlog.Event{event}); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, f, "acme/execution-1")
			if !errors.Is(err, ledger.ErrForged) || len(got) != 3 {
				t.Errorf("read %d records and %v, want 3 and ErrForged", len(got), err)
			}
		})
	}
}

// A key that somebody made and deleted must not make records disappear: what
// its readers can't open any more they check by signature, and no fact's key is
// ever destroyed.
func TestErasedMustBeSigned(t *testing.T) {
	erased := func(t *testing.T, change func(p string) string) error {
		f, ctx := ledgertest.New(t), context.Background()
		list := drafts("acme/execution-1", 0, 2)
		list[1].Type, list[1].Subject = "content.note.v1", "somebody"
		mustAppend(t, f, "acme/execution-1", ledger.NoTail(), list)
		if _, err := f.Ring.Erase(ctx, "acme", "somebody"); err != nil {
			t.Fatal(err)
		}
		records := stored(t, f.Log)
		records = slices.DeleteFunc(records, func(r eventlog.Recorded) bool { return r.Stream != "acme/execution-1" })
		last := &records[1]
		_, payload, err := ledgercrypto.ParseUnverified(jwsOf(*last))
		if err != nil {
			t.Fatal(err)
		}
		if text := change(string(payload)); text != string(payload) {
			last.Meta = fmt.Appendf(nil, `{"jws":%q}`, ledgertest.Keys(t).Signer().Sign(nil, []byte(text)))
			h, _, err := ledger.ParseHeader([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			last.Type, last.ID = h.Type, h.ID
		}
		reader := ledgertest.On(t, overlaid{f.Log, records}, f.Keys)
		_, err = readAll(t, reader, "acme/execution-1")
		return err
	}
	if err := erased(t, func(p string) string { return p }); err != nil {
		t.Errorf("a record that was really erased: %v", err)
	}
	for name, change := range map[string]func(string) string{
		"another content": func(p string) string { return strings.Replace(p, "agent:ag_1", "agent:ag_2", 1) },
		"another type":    func(p string) string { return strings.Replace(p, "content.note.v1", "content.prompt.v1", 1) },
		"a fact":          func(p string) string { return strings.Replace(p, "content.note.v1", "test.happened.v1", 1) },
	} {
		if err := erased(t, change); !errors.Is(err, ledger.ErrForged) {
			t.Errorf("%s under a destroyed key: %v, want ErrForged", name, err)
		}
	}
}

// overlaid is a log of which one stream reads as a test wants it.
type overlaid struct {
	eventlog.Log
	records []eventlog.Recorded
}

func (o overlaid) Read(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	if q.Stream != o.records[0].Stream {
		return o.Log.Read(ctx, q)
	}
	return held{records: o.records}.Read(ctx, q)
}

func jwsOf(r eventlog.Recorded) []byte {
	return []byte(strings.TrimSuffix(strings.TrimPrefix(string(r.Meta), `{"jws":"`), `"}`))
}

type finder func(stream string, revision int64) eventlog.Recorded

// foreignRecord makes what follows last in its stream, right in everything but
// the keys: its header is signed by somebody else.
func foreignRecord(t *testing.T, last eventlog.Recorded, ciphertext []byte) eventlog.Event {
	t.Helper()
	r, _, err := ledger.Parse(&last)
	if err != nil {
		t.Fatal(err)
	}
	payload := fmt.Sprintf(`{"v":1,"ws":%q,"stream":%q,"rev":%d,"type":%q,"id":%q,"time":%q,"actor":%q,"cred":"","cor":"","cau":"","key":%q,"data":%q,"prev":%q}`,
		r.Workspace, r.Stream, r.Revision+1, r.Type, ledger.EventID([16]byte{7}), r.Time.Format("2006-01-02T15:04:05.000000Z"), r.Actor, r.Key,
		ledgercrypto.Digest(ciphertext), r.Link)
	if _, _, err := ledger.ParseHeader([]byte(payload)); err != nil {
		t.Fatal(err)
	}
	jws := ledgertest.Keys(t).Signer().Sign(nil, []byte(payload))
	return eventlog.Event{ID: [16]byte{7}, Type: r.Type, Data: ciphertext, Meta: fmt.Appendf(nil, `{"jws":%q}`, jws)}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte(`{"v":1,"ws":"acme","stream":"acme/a-1","rev":0,"type":"t.v1","id":"00000000-0000-0000-0000-000000000000","time":"2026-01-02T03:04:05.000000Z","actor":"","cred":"","cor":"","cau":"","key":"k","data":"d","prev":""}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, associated, err := ledger.ParseHeader(payload)
		if err == nil && (len(associated) >= len(payload) || h.Revision < 0) {
			t.Errorf("accepted %q as %+v", payload, h)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"jws":"a.b.c"}`), []byte("data"))
	f.Fuzz(func(t *testing.T, meta, data []byte) {
		stored := eventlog.Recorded{Stream: "acme/a-1", Event: eventlog.Event{Meta: meta, Data: data}}
		if _, _, err := ledger.Parse(&stored); err != nil && !errors.Is(err, ledger.ErrForged) {
			t.Errorf("error %v is not ErrForged", err)
		}
	})
}

func FuzzUnwrapFact(f *testing.F) {
	f.Add([]byte(`{"mac":"abc","event":{"n":1}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		mac, event, err := ledger.UnwrapFact(payload)
		if err == nil && string(ledger.WrapFact(mac, event)) != string(payload) {
			t.Errorf("%q does not wrap back", payload)
		}
	})
}
