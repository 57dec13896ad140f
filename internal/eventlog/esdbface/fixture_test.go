package esdbface_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

// guard bounds waiting for what must happen; no sound run comes near it.
const guard = time.Minute

func openSQLite(t testing.TB) eventlog.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatalf("opening sqlite: %v", err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// wire is a face and a raw connection to it, made of the generated stubs, so
// that tests see the messages themselves.
type wire struct {
	testing.TB
	ctx     context.Context
	log     eventlog.Log
	face    *esdbface.Face
	address string
	conn    *grpc.ClientConn
	streams streams.StreamsClient
}

func dial(t testing.TB, log eventlog.Log, opts esdbface.Options) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if opts.Grace == 0 {
		opts.Grace = 100 * time.Millisecond
	}
	face := esdbface.New(log, opts)
	served := make(chan error, 1)
	go func() { served <- face.Serve(l) }()
	t.Cleanup(func() {
		face.Stop()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	t.Cleanup(cancel)
	return &wire{TB: t, ctx: ctx, log: log, face: face, address: l.Addr().String(), conn: conn, streams: streams.NewStreamsClient(conn)}
}

func newID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	id[0] |= 1
	return id
}

func event(kind, data string) eventlog.Event {
	return eventlog.Event{ID: newID(), Type: kind, Data: []byte(data), Meta: []byte(`{}`)}
}

func (w *wire) store(stream string, expected int64, events ...eventlog.Event) eventlog.Appended {
	w.Helper()
	got, err := w.log.Append(w.ctx, stream, expected, events)
	if err != nil {
		w.Fatalf("storing to %s: %v", stream, err)
	}
	return got
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func message(id, kind, contentType, data string) *streams.AppendReq_ProposedMessage {
	return &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: id}},
		Metadata: map[string]string{"type": kind, "content-type": contentType},
		Data:     []byte(data),
	}
}

// push sends one append and returns its answer and trailers.
func (w *wire) push(options *streams.AppendReq_Options, messages ...*streams.AppendReq_ProposedMessage) (*streams.AppendResp, metadata.MD, error) {
	w.Helper()
	call, err := w.streams.Append(w.ctx)
	if err != nil {
		w.Fatal(err)
	}
	// A refused call makes Send fail with EOF; the reason comes with the answer.
	if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}}); err != nil && !errors.Is(err, io.EOF) {
		w.Fatal(err)
	}
	for _, m := range messages {
		if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: m}}); err != nil && !errors.Is(err, io.EOF) {
			w.Fatal(err)
		}
	}
	resp, err := call.CloseAndRecv()
	return resp, call.Trailer(), err
}

func anyRevision(stream string) *streams.AppendReq_Options {
	return &streams.AppendReq_Options{StreamIdentifier: identifier(stream), ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}}
}

func noStream(stream string) *streams.AppendReq_Options {
	return &streams.AppendReq_Options{StreamIdentifier: identifier(stream), ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}}
}

func streamExists(stream string) *streams.AppendReq_Options {
	return &streams.AppendReq_Options{StreamIdentifier: identifier(stream), ExpectedStreamRevision: &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}}
}

func atRevision(stream string, revision uint64) *streams.AppendReq_Options {
	return &streams.AppendReq_Options{StreamIdentifier: identifier(stream), ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: revision}}
}

// ask opens a read. Options are filled up with what every client sends.
func (w *wire) ask(ctx context.Context, o *streams.ReadReq_Options) streams.Streams_ReadClient {
	w.Helper()
	if o.UuidOption == nil {
		o.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{}}
	}
	if o.FilterOption == nil {
		o.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
	}
	call, err := w.streams.Read(ctx, &streams.ReadReq{Options: o})
	if err != nil {
		w.Fatal(err)
	}
	return call
}

// drain reads a call to its end, each message as a short word.
func drain(call streams.Streams_ReadClient) (words []string, err error) {
	for {
		resp, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return words, nil
		}
		if err != nil {
			return words, err
		}
		words = append(words, word(resp))
	}
}

// word names a message: an event by its data, everything else by its kind.
func word(resp *streams.ReadResp) string {
	switch v := resp.Content.(type) {
	case *streams.ReadResp_Event:
		return string(v.Event.Event.Data)
	case *streams.ReadResp_Confirmation:
		return "confirmation"
	case *streams.ReadResp_Checkpoint_:
		return "checkpoint " + strconv.FormatUint(v.Checkpoint.CommitPosition, 10)
	case *streams.ReadResp_CaughtUp_:
		return "caught up"
	case *streams.ReadResp_StreamNotFound_:
		return "not found " + string(v.StreamNotFound.StreamIdentifier.StreamName)
	default:
		return "?"
	}
}

func wantStatus(t testing.TB, doing string, err error, code codes.Code, trailers metadata.MD, pairs ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("%s: %v, want %v", doing, err, code)
	}
	for i := 0; i < len(pairs); i += 2 {
		if got := trailers.Get(pairs[i]); len(got) != 1 || got[0] != pairs[i+1] {
			t.Errorf("%s: trailer %s is %q, want %q", doing, pairs[i], got, pairs[i+1])
		}
	}
}
