package esdbface_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

const (
	binary = "application/octet-stream"
	asJSON = "application/json"
)

// id is a UUID that ends in n.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func one(n int) *streams.AppendReq_ProposedMessage {
	return message(id(n), "a.v1", binary, fmt.Sprint(n))
}

// TestDecisions is the decision table of appends, on a stream that holds
// events 1, 2, 3 at revisions 0, 1, 2.
func TestDecisions(t *testing.T) {
	const s, none = "a-1", "none-1"
	rows := []struct {
		name     string
		options  *streams.AppendReq_Options
		messages []*streams.AppendReq_ProposedMessage
		want     int64 // revision answered; below 0 a conflict that names revision 2
	}{
		{"revision, tip", atRevision(s, 2), []*streams.AppendReq_ProposedMessage{one(9)}, 3},
		{"revision, tip, known id", atRevision(s, 2), []*streams.AppendReq_ProposedMessage{one(1)}, 3},
		{"revision, behind", atRevision(s, 1), []*streams.AppendReq_ProposedMessage{one(9)}, -1},
		{"revision, ahead", atRevision(s, 3), []*streams.AppendReq_ProposedMessage{one(9)}, -1},
		{"revision, repeat", atRevision(s, 0), []*streams.AppendReq_ProposedMessage{one(2), one(3)}, 2},
		{"revision, repeat of a part", atRevision(s, 0), []*streams.AppendReq_ProposedMessage{one(2)}, 1},
		{"revision, repeat and more", atRevision(s, 0), []*streams.AppendReq_ProposedMessage{one(2), one(3), one(9)}, -1},
		{"no stream, repeat", noStream(s), []*streams.AppendReq_ProposedMessage{one(1)}, 0},
		{"no stream, there is one", noStream(s), []*streams.AppendReq_ProposedMessage{one(9)}, -1},
		{"no stream, there is none", noStream(none), []*streams.AppendReq_ProposedMessage{one(9)}, 0},
		{"any, new", anyRevision(s), []*streams.AppendReq_ProposedMessage{one(9)}, 3},
		{"any, new stream", anyRevision(none), []*streams.AppendReq_ProposedMessage{one(9)}, 0},
		{"any, repeat", anyRevision(s), []*streams.AppendReq_ProposedMessage{one(2), one(3)}, 2},
		{"any, repeat and more", anyRevision(s), []*streams.AppendReq_ProposedMessage{one(3), one(9)}, -1},
		{"exists, new", streamExists(s), []*streams.AppendReq_ProposedMessage{one(9)}, 3},
		{"exists, repeat", streamExists(s), []*streams.AppendReq_ProposedMessage{one(1)}, 0},
		{"nothing, revision, tip", atRevision(s, 2), nil, 2},
		{"nothing, revision, behind", atRevision(s, 1), nil, -1},
		{"nothing, any", anyRevision(s), nil, 2},
		{"nothing, no stream", noStream(s), nil, -1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := dial(t, openSQLite(t), esdbface.Options{})
			if _, _, err := w.push(noStream(s), one(1), one(2), one(3)); err != nil {
				t.Fatal(err)
			}
			resp, _, err := w.push(row.options, row.messages...)
			switch {
			case err != nil:
				t.Fatal(err)
			case row.want < 0 && resp.GetWrongExpectedVersion().GetCurrentRevision() != 2:
				t.Errorf("answered %v, want a conflict at revision 2", resp)
			case row.want >= 0 && (resp.GetSuccess() == nil || resp.GetSuccess().GetCurrentRevision() != uint64(row.want)):
				t.Errorf("answered %v, want revision %d", resp, row.want)
			}
		})
	}
}

// TestConflicts checks every field of an in-band conflict, today's and those
// of 20.6.
func TestConflicts(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	w.store("a-1", eventlog.NoStream, event("a.v1", "x"))
	empty := &shared.Empty{}
	type wrong = streams.AppendResp_WrongExpectedVersion
	rows := []struct {
		name    string
		options *streams.AppendReq_Options
		want    *wrong
	}{
		{"no stream", noStream("a-1"), &wrong{
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: 0},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: 1<<64 - 1},
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 0},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty},
		}},
		{"revision", atRevision("none-1", 4), &wrong{
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: 4},
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: 4},
		}},
		{"exists", streamExists("none-1"), &wrong{
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: empty},
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty},
		}},
	}
	for _, row := range rows {
		resp, _, err := w.push(row.options, one(1))
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, resp.GetWrongExpectedVersion(), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestRefusedAppends(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	w.store("key-1", eventlog.NoStream, event("a.v1", "x"))
	if err := w.log.Delete(w.ctx, "key-1"); err != nil {
		t.Fatal(err)
	}
	bare := one(1)
	bare.Metadata = map[string]string{"type": "a.v1"}
	anonymous := one(1)
	anonymous.Id = nil
	big := message(id(1), "a.v1", binary, strings.Repeat("x", eventlog.MaxAppend))
	half := message(id(1), "a.v1", binary, strings.Repeat("x", eventlog.MaxAppend/2))
	limit := strconv.Itoa(eventlog.MaxAppend)
	rows := []struct {
		name     string
		options  *streams.AppendReq_Options
		messages []*streams.AppendReq_ProposedMessage
		code     codes.Code
		trailers []string
	}{
		{"tombstoned", anyRevision("key-1"), []*streams.AppendReq_ProposedMessage{one(1)}, codes.FailedPrecondition, []string{"exception", "stream-deleted", "stream-name", "key-1"}},
		{"one event too large", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{big}, codes.InvalidArgument, []string{"exception", "maximum-append-size-exceeded", "maximum-append-size", limit}},
		{"batch too large", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{half, half}, codes.InvalidArgument, []string{"exception", "maximum-append-size-exceeded"}},
		{"no content type", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{bare}, codes.InvalidArgument,
			[]string{"exception", "missing-required-metadata-property", "required-metadata-properties", "type,content-type"}},
		{"no expectation", &streams.AppendReq_Options{StreamIdentifier: identifier("a-1")}, []*streams.AppendReq_ProposedMessage{one(1)}, codes.InvalidArgument, nil},
		{"expectation beyond any stream", atRevision("a-1", 1<<63), []*streams.AppendReq_ProposedMessage{one(1)}, codes.InvalidArgument, nil},
		{"no stream name", anyRevision(""), []*streams.AppendReq_ProposedMessage{one(1)}, codes.InvalidArgument, nil},
		{"no id", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{anonymous}, codes.InvalidArgument, nil},
		{"no UUID", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{message("x", "a.v1", binary, "x")}, codes.InvalidArgument, nil},
		{"zero id", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{message("00000000-0000-0000-0000-000000000000", "a.v1", binary, "x")}, codes.Unknown, nil},
		{"empty type", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{message(id(1), "", binary, "x")}, codes.Unknown, nil},
		{"type too long", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{message(id(1), strings.Repeat("t", 129), binary, "x")}, codes.InvalidArgument, nil},
		{"system type", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{message(id(1), "$>", binary, "0@b")}, codes.InvalidArgument, nil},
		{"no JSON", anyRevision("a-1"), []*streams.AppendReq_ProposedMessage{message(id(1), "a.v1", asJSON, "{")}, codes.InvalidArgument, nil},
		{"stream metadata", anyRevision("$$a-1"), []*streams.AppendReq_ProposedMessage{message(id(1), "a.v1", asJSON, "{}")}, codes.Unimplemented, nil},
	}
	for _, row := range rows {
		_, trailers, err := w.push(row.options, row.messages...)
		wantStatus(t, row.name, err, row.code, trailers, row.trailers...)
	}
	for r, err := range w.log.Read(w.ctx, eventlog.Query{}) {
		t.Errorf("a refused append left %+v (%v)", r, err)
	}
}

// TestAnyUnderContention lets writers without an exact revision race.
func TestAnyUnderContention(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	const writers, each = 8, 10
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for j := range each {
				if resp, _, err := w.push(anyRevision("hot-1"), one(i*each+j)); err != nil || resp.GetSuccess() == nil {
					t.Errorf("append: %v, %v", resp, err)
				}
			}
		})
	}
	writing.Wait()
	seen := map[string]int{}
	for r, err := range w.log.Read(w.ctx, eventlog.Query{Stream: "hot-1"}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[string(r.Data)]++
	}
	if len(seen) != writers*each {
		t.Errorf("%d different events were stored, want %d", len(seen), writers*each)
	}
}

// TestContentTypes follows data through the face and back.
func TestContentTypes(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	rows := []struct{ name, declared, data, want string }{
		{"JSON object", asJSON, `{"a":1}`, asJSON},
		{"JSON number", asJSON, `5`, asJSON},
		{"bytes", binary, "\x01\x02", binary},
		{"text", binary, "hello", binary},
		{"nothing", asJSON, "", binary},
		{"bytes that are JSON", binary, `{"a":1}`, asJSON},
	}
	for i, row := range rows {
		stream := fmt.Sprint("a-", i)
		if _, _, err := w.push(noStream(stream), message(id(i+1), "a.v1", row.declared, row.data)); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		call := w.ask(w.ctx, readOptions(stream, false, fromStart, 1))
		resp, err := call.Recv()
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		got := resp.GetEvent().GetEvent()
		if got.Metadata["content-type"] != row.want || string(got.Data) != row.data {
			t.Errorf("%s: came back as %s %q", row.name, got.Metadata["content-type"], got.Data)
		}
	}
}
