package esdbface_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

// Where reads begin, beside positions and revisions.
const (
	fromStart = -1
	fromEnd   = -2
)

const all = "" // stands for $all

func readOptions(stream string, backwards bool, from int64, count uint64) *streams.ReadReq_Options {
	o := &streams.ReadReq_Options{CountOption: &streams.ReadReq_Options_Count{Count: count}}
	if backwards {
		o.ReadDirection = streams.ReadReq_Options_Backwards
	}
	if stream == all {
		in := &streams.ReadReq_Options_AllOptions{}
		switch from {
		case fromStart:
			in.AllOption = &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}
		case fromEnd:
			in.AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
		default:
			in.AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{CommitPosition: uint64(from), PreparePosition: uint64(from)}}
		}
		o.StreamOption = &streams.ReadReq_Options_All{All: in}
		return o
	}
	in := &streams.ReadReq_Options_StreamOptions{StreamIdentifier: identifier(stream)}
	switch from {
	case fromStart:
		in.RevisionOption = &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}}
	case fromEnd:
		in.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	default:
		in.RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(from)}
	}
	o.StreamOption = &streams.ReadReq_Options_Stream{Stream: in}
	return o
}

// TestWhereReadsBegin is the table of inclusive and exclusive beginnings.
func TestWhereReadsBegin(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	var at []int64
	for i := range 5 {
		at = append(at, int64(w.store("a-1", int64(i)-1, event("a.v1", fmt.Sprint(i))).Position))
	}
	const plenty = 1<<64 - 1
	rows := []struct {
		name      string
		stream    string
		backwards bool
		from      int64
		count     uint64
		want      []string
	}{
		{"stream, start", "a-1", false, fromStart, plenty, []string{"0", "1", "2", "3", "4"}},
		{"stream, revision is inclusive", "a-1", false, 2, plenty, []string{"2", "3", "4"}},
		{"stream, end is behind the last", "a-1", false, fromEnd, plenty, nil},
		{"stream, beyond the tip", "a-1", false, 9, plenty, nil},
		{"stream, count", "a-1", false, 1, 2, []string{"1", "2"}},
		{"stream, count 0", "a-1", false, fromStart, 0, nil},
		{"stream backwards, end", "a-1", true, fromEnd, 2, []string{"4", "3"}},
		{"stream backwards, revision is inclusive", "a-1", true, 2, plenty, []string{"2", "1", "0"}},
		{"stream backwards, start is the first", "a-1", true, fromStart, plenty, []string{"0"}},
		{"stream backwards, beyond the tip", "a-1", true, 9, plenty, []string{"4", "3", "2", "1", "0"}},
		{"no stream", "none-1", false, fromStart, plenty, []string{"not found none-1"}},
		{"no stream, backwards", "none-1", true, fromEnd, 1, []string{"not found none-1"}},
		{"all, start", all, false, fromStart, plenty, []string{"0", "1", "2", "3", "4"}},
		{"all, position is inclusive", all, false, at[2], plenty, []string{"2", "3", "4"}},
		{"all, zero", all, false, 0, plenty, []string{"0", "1", "2", "3", "4"}},
		{"all, end", all, false, fromEnd, plenty, nil},
		{"all, count", all, false, at[1], 2, []string{"1", "2"}},
		{"all backwards, end", all, true, fromEnd, 2, []string{"4", "3"}},
		{"all backwards, position is exclusive", all, true, at[2], plenty, []string{"1", "0"}},
		{"all backwards, start", all, true, fromStart, plenty, nil},
		{"all backwards, zero", all, true, 0, plenty, nil},
	}
	for _, row := range rows {
		got, err := drain(w.ask(w.ctx, readOptions(row.stream, row.backwards, row.from, row.count)))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// TestEndOfTime reads from the largest position, which clients write for "end".
func TestEndOfTime(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	w.store("a-1", eventlog.NoStream, event("a.v1", "0"))
	rows := []struct {
		name      string
		backwards bool
		want      []string
	}{{"forwards", false, nil}, {"backwards", true, []string{"0"}}}
	for _, row := range rows {
		for _, stream := range []string{all, "a-1"} {
			o := readOptions(stream, row.backwards, fromStart, 10)
			switch v := o.StreamOption.(type) {
			case *streams.ReadReq_Options_All:
				v.All.AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{CommitPosition: 1<<64 - 1, PreparePosition: 1<<64 - 1}}
			case *streams.ReadReq_Options_Stream:
				v.Stream.RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: 1<<64 - 1}
			}
			got, err := drain(w.ask(w.ctx, o))
			if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%s, %q: %v (-want +got):\n%s", row.name, stream, err, diff)
			}
		}
	}
}

// TestEventOnTheWire checks every field of an event, with both forms of ids.
func TestEventOnTheWire(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	began := time.Now().Add(-time.Second)
	ev := eventlog.Event{Type: "a.v1", Data: []byte{1, 2}, Meta: []byte(`{"m":1}`)}
	ev.ID = [16]byte{0xf1, 2, 3, 4, 5, 6, 7, 8, 0xf9, 10, 11, 12, 13, 14, 15, 16}
	w.store("a-1", eventlog.NoStream, event("a.v1", "first"))
	position := uint64(w.store("a-1", 0, ev).Position)
	o := readOptions("a-1", true, fromEnd, 1)
	o.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}}
	textual, err := w.ask(w.ctx, o).Recv()
	if err != nil {
		t.Fatal(err)
	}
	structured, err := w.ask(w.ctx, readOptions("a-1", true, fromEnd, 1)).Recv()
	if err != nil {
		t.Fatal(err)
	}
	if got := textual.GetEvent().GetEvent().GetId().GetString_(); got != "f1020304-0506-0708-f90a-0b0c0d0e0f10" {
		t.Errorf("id as text: %q", got)
	}
	got := structured.GetEvent().GetEvent()
	if v := got.GetId().GetStructured(); uint64(v.GetMostSignificantBits()) != 0xf102030405060708 || uint64(v.GetLeastSignificantBits()) != 0xf90a0b0c0d0e0f10 {
		t.Errorf("structured id: %x %x", v.GetMostSignificantBits(), v.GetLeastSignificantBits())
	}
	ticks, err := strconv.ParseInt(got.Metadata["created"], 10, 64)
	if created := time.Unix(0, ticks*100); err != nil || created.Before(began) || created.After(time.Now().Add(time.Second)) {
		t.Errorf("created is %q", got.Metadata["created"])
	}
	if got.Metadata["type"] != "a.v1" || got.Metadata["content-type"] != binary || len(got.Metadata) != 3 {
		t.Errorf("metadata: %v", got.Metadata)
	}
	if got.CommitPosition != position || got.PreparePosition != position || structured.GetEvent().GetCommitPosition() != position {
		t.Errorf("positions: %v, want %d", structured, position)
	}
	if got.StreamRevision != 1 || string(got.StreamIdentifier.StreamName) != "a-1" || string(got.CustomMetadata) != `{"m":1}` || string(got.Data) != "\x01\x02" {
		t.Errorf("event: %v", got)
	}
}

func TestRefusedReads(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	w.store("key-1", eventlog.NoStream, event("a.v1", "x"))
	if err := w.log.Delete(w.ctx, "key-1"); err != nil {
		t.Fatal(err)
	}
	changed := func(stream string, change func(*streams.ReadReq_Options)) *streams.ReadReq_Options {
		o := readOptions(stream, false, fromStart, 1)
		o.UuidOption = &streams.ReadReq_Options_UUIDOption{}
		change(o)
		return o
	}
	filtered := func(f *streams.ReadReq_Options_FilterOptions) func(o *streams.ReadReq_Options) {
		return func(o *streams.ReadReq_Options) { o.FilterOption = &streams.ReadReq_Options_Filter{Filter: f} }
	}
	expression := func(regex string) *streams.ReadReq_Options_FilterOptions_EventType {
		return &streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: regex}}
	}
	deleted := []string{"exception", "stream-deleted", "stream-name", "key-1"}
	rows := []struct {
		name     string
		options  *streams.ReadReq_Options
		code     codes.Code
		trailers []string
	}{
		{"tombstoned", readOptions("key-1", false, fromStart, 1), codes.FailedPrecondition, deleted},
		{"tombstoned, backwards", readOptions("key-1", true, fromEnd, 1), codes.FailedPrecondition, deleted},
		{"tombstoned, subscription", subscription("key-1", fromStart), codes.FailedPrecondition, deleted},
		{"nothing asked", changed("a", func(o *streams.ReadReq_Options) { o.StreamOption = nil }), codes.InvalidArgument, nil},
		{"neither read nor subscription", changed("a", func(o *streams.ReadReq_Options) { o.CountOption = nil }), codes.InvalidArgument, nil},
		{"no beginning", changed("a", func(o *streams.ReadReq_Options) { o.GetStream().RevisionOption = nil }), codes.InvalidArgument, nil},
		{"no name", changed("a", func(o *streams.ReadReq_Options) { o.GetStream().StreamIdentifier = nil }), codes.InvalidArgument, nil},
		{"no beginning of all", changed(all, func(o *streams.ReadReq_Options) { o.GetAll().AllOption = nil }), codes.InvalidArgument, nil},
		{"prepare behind commit", changed(all, func(o *streams.ReadReq_Options) {
			o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{CommitPosition: 1, PreparePosition: 2}}
		}), codes.InvalidArgument, nil},
		{"subscription backwards", changed("a", func(o *streams.ReadReq_Options) {
			o.CountOption, o.ReadDirection = subscription("a", fromStart).CountOption, streams.ReadReq_Options_Backwards
		}), codes.InvalidArgument, nil},
		{"filter on a stream", changed("a", filtered(&streams.ReadReq_Options_FilterOptions{Filter: expression("a"), CheckpointIntervalMultiplier: 1})), codes.InvalidArgument, nil},
		{"filter without expression", changed(all, filtered(&streams.ReadReq_Options_FilterOptions{CheckpointIntervalMultiplier: 1})), codes.InvalidArgument, nil},
		{"filter without interval", changed(all, filtered(&streams.ReadReq_Options_FilterOptions{Filter: expression("a")})), codes.InvalidArgument, nil},
		{"filter with a look-ahead", changed(all, filtered(&streams.ReadReq_Options_FilterOptions{Filter: expression("(?!a)"), CheckpointIntervalMultiplier: 1})), codes.InvalidArgument, nil},
	}
	for _, row := range rows {
		call := w.ask(w.ctx, row.options)
		_, err := drain(call)
		wantStatus(t, row.name, err, row.code, call.Trailer(), row.trailers...)
	}
	o := readOptions("a", false, fromStart, 1)
	call, err := w.streams.Read(w.ctx, &streams.ReadReq{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	_, err = drain(call)
	wantStatus(t, "no kind of id", err, codes.InvalidArgument, nil)
}
