package esdbface_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

func batchOptions(stream string, revision int64) *streams.BatchAppendReq_Options {
	o := &streams.BatchAppendReq_Options{StreamIdentifier: identifier(stream),
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}},
		DeadlineOption:         &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(time.Minute)}}
	switch {
	case revision >= 0:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(revision)}
	case revision == eventlog.NoStream:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	}
	return o
}

const whatever = -2 // batchOptions: no expected revision

func chunk(correlation int, o *streams.BatchAppendReq_Options, final bool, messages ...*streams.AppendReq_ProposedMessage) *streams.BatchAppendReq {
	req := &streams.BatchAppendReq{CorrelationId: &shared.UUID{Value: &shared.UUID_String_{String_: id(correlation)}}, Options: o, IsFinal: final}
	for _, m := range messages {
		req.ProposedMessages = append(req.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{Id: m.Id, Metadata: m.Metadata, Data: m.Data})
	}
	return req
}

// answers receives n answers, by correlation.
func answers(t *testing.T, call streams.Streams_BatchAppendClient, n int) map[string]*streams.BatchAppendResp {
	t.Helper()
	out := map[string]*streams.BatchAppendResp{}
	for range n {
		resp, err := call.Recv()
		if err != nil {
			t.Fatalf("after %d of %d answers: %v", len(out), n, err)
		}
		v := resp.GetCorrelationId().GetStructured()
		out[fmt.Sprintf("00000000-0000-4000-8000-%012x", uint64(v.GetLeastSignificantBits())&0xffffffffffff)] = resp
	}
	return out
}

func TestBatchAppend(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	w.store("full-1", eventlog.NoStream, event("a.v1", "x"))
	w.store("key-1", eventlog.NoStream, event("a.v1", "x"))
	if err := w.log.Delete(w.ctx, "key-1"); err != nil {
		t.Fatal(err)
	}
	big := message(id(1), "a.v1", binary, strings.Repeat("x", eventlog.MaxAppend))
	bare := one(1)
	bare.Metadata = nil
	late := batchOptions("late-1", whatever)
	late.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(-time.Second)}
	rows := []struct {
		name   string
		chunks []*streams.BatchAppendReq
		code   codes.Code
		detail string
	}{
		{"one chunk", []*streams.BatchAppendReq{chunk(1, batchOptions("a-1", eventlog.NoStream), true, one(1), one(2))}, codes.OK, ""},
		{"three chunks", []*streams.BatchAppendReq{chunk(2, batchOptions("b-1", whatever), false, one(1)), chunk(2, nil, false, one(2)), chunk(2, nil, true, one(3))}, codes.OK, ""},
		{"no events", []*streams.BatchAppendReq{chunk(3, batchOptions("full-1", 0), true)}, codes.OK, ""},
		{"conflict", []*streams.BatchAppendReq{chunk(4, batchOptions("full-1", eventlog.NoStream), true, one(1))}, codes.AlreadyExists, "event_store.client.WrongExpectedVersion"},
		{"tombstoned", []*streams.BatchAppendReq{chunk(5, batchOptions("key-1", whatever), true, one(1))}, codes.NotFound, "event_store.client.StreamDeleted"},
		{"too large", []*streams.BatchAppendReq{chunk(6, batchOptions("a-2", whatever), false, big), chunk(6, nil, true, one(1))}, codes.InvalidArgument, "event_store.client.MaximumAppendSizeExceeded"},
		{"no metadata", []*streams.BatchAppendReq{chunk(7, batchOptions("a-2", whatever), true, bare)}, codes.InvalidArgument, "event_store.client.BadRequest"},
		{"no options", []*streams.BatchAppendReq{chunk(8, nil, true, one(1))}, codes.InvalidArgument, "event_store.client.BadRequest"},
		{"too late", []*streams.BatchAppendReq{chunk(9, late, true, one(1))}, codes.DeadlineExceeded, "event_store.client.Timeout"},
	}
	call, err := w.streams.BatchAppend(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, c := range row.chunks {
			if err := call.Send(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := answers(t, call, len(rows))
	for i, row := range rows {
		resp := got[fmt.Sprintf("00000000-0000-4000-8000-%012x", i+1)]
		if codes.Code(resp.GetError().GetCode()) != row.code || (resp.GetSuccess() != nil) != (row.code == codes.OK) {
			t.Errorf("%s: %v, want %v", row.name, resp, row.code)
		}
		if row.detail != "" && (len(resp.GetError().GetDetails()) != 1 || resp.GetError().GetDetails()[0].GetTypeUrl() != "type.googleapis.com/"+row.detail) {
			t.Errorf("%s: details %v, want %s", row.name, resp.GetError().GetDetails(), row.detail)
		}
	}
	if resp := got[id(2)]; resp.GetSuccess().GetCurrentRevision() != 2 || resp.GetSuccess().GetPosition().GetCommitPosition() == 0 || resp.GetAny() == nil || string(resp.GetStreamIdentifier().GetStreamName()) != "b-1" {
		t.Errorf("three chunks: %v", resp)
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if resp, err := call.Recv(); err == nil {
		t.Errorf("one more answer: %v", resp)
	}
}

// TestBatchOrder sends the appends of one stream without waiting for answers,
// each at the revision the one before will have reached.
func TestBatchOrder(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	call, err := w.streams.BatchAppend(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	for i := range n {
		o := batchOptions("a-1", int64(i)-1)
		if err := call.Send(chunk(i+1, o, true, one(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range n {
		if resp, err := call.Recv(); err != nil || resp.GetSuccess() == nil {
			t.Fatalf("%v, %v", resp, err)
		}
	}
}

// TestStopWithOpenCalls stops a face under a subscription and a batch call
// that would both stay for ever.
func TestStopWithOpenCalls(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{Grace: guard})
	sub := w.ask(w.ctx, subscription(all, fromStart))
	hear(t, sub, 2, true)
	batch, err := w.streams.BatchAppend(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(chunk(1, batchOptions("a-1", whatever), true, one(1))); err != nil {
		t.Fatal(err)
	}
	answers(t, batch, 1)
	w.face.Stop()
	hear(t, sub, 1, true) // the event appended above
	_, err = sub.Recv()
	wantStatus(t, "subscription", err, codes.Unavailable, nil)
	_, err = batch.Recv()
	wantStatus(t, "batch", err, codes.Unavailable, nil)
}
