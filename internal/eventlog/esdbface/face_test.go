package esdbface_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

func tombstone(stream string, revision int64) *streams.TombstoneReq {
	o := &streams.TombstoneReq_Options{StreamIdentifier: identifier(stream), ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}}}
	if revision >= 0 {
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_Revision{Revision: uint64(revision)}
	}
	return &streams.TombstoneReq{Options: o}
}

func TestTombstone(t *testing.T) {
	mayTombstone := func(stream string) bool { return strings.HasPrefix(stream, "key-") }
	w := dial(t, openSQLite(t), esdbface.Options{MayTombstone: mayTombstone})
	w.store("key-1", eventlog.NoStream, event("a.v1", "x"))
	w.store("a-1", eventlog.NoStream, event("a.v1", "x"))
	var trailers metadata.MD
	_, err := w.streams.Tombstone(w.ctx, tombstone("key-1", 7), grpc.Trailer(&trailers))
	wantStatus(t, "at a wrong revision", err, codes.FailedPrecondition, trailers,
		"exception", "wrong-expected-version", "stream-name", "key-1", "expected-version", "7", "actual-version", "0")
	trailers = nil
	_, err = w.streams.Tombstone(w.ctx, tombstone("a-1", -1), grpc.Trailer(&trailers))
	wantStatus(t, "of another kind", err, codes.PermissionDenied, trailers, "exception", "access-denied")
	resp, err := w.streams.Tombstone(w.ctx, tombstone("key-1", 0))
	if err != nil || resp.GetPosition().GetCommitPosition() == 0 {
		t.Errorf("at the right revision: %v, %v", resp, err)
	}
	trailers = nil
	_, err = w.streams.Tombstone(w.ctx, tombstone("key-1", -1), grpc.Trailer(&trailers))
	wantStatus(t, "again", err, codes.FailedPrecondition, trailers, "exception", "stream-deleted")
	if resp, err := w.streams.Tombstone(w.ctx, tombstone("key-never", -1)); err != nil || resp.GetPosition().GetCommitPosition() == 0 {
		t.Errorf("of what never was: %v, %v", resp, err)
	}
	_, err = w.streams.Delete(w.ctx, &streams.DeleteReq{Options: &streams.DeleteReq_Options{StreamIdentifier: identifier("key-2")}})
	wantStatus(t, "soft", err, codes.Unimplemented, nil)
}

func TestReadOnly(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{ReadOnly: true})
	w.store("a-1", eventlog.NoStream, event("a.v1", "x"))
	denied := []string{"exception", "access-denied"}
	_, trailers, err := w.push(anyRevision("a-1"), one(1))
	wantStatus(t, "append", err, codes.PermissionDenied, trailers, denied...)
	trailers = nil
	_, err = w.streams.Tombstone(w.ctx, tombstone("a-1", -1), grpc.Trailer(&trailers))
	wantStatus(t, "tombstone", err, codes.PermissionDenied, trailers, denied...)
	call, err := w.streams.BatchAppend(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Send(chunk(1, batchOptions("a-1", whatever), true, one(1))); err != nil {
		t.Fatal(err)
	}
	if resp := answers(t, call, 1)[id(1)]; codes.Code(resp.GetError().GetCode()) != codes.PermissionDenied {
		t.Errorf("batch append: %v", resp)
	}
	if got, err := drain(w.ask(w.ctx, readOptions(all, false, fromStart, 10))); err != nil || len(got) != 1 {
		t.Errorf("read: %q, %v", got, err)
	}
}

func TestCredentials(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{User: "ledger", Password: "secret"})
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	rows := []struct {
		name, header string
		code         codes.Code
	}{
		{"right", basic("ledger:secret"), codes.OK},
		{"scheme in lower case", "b" + basic("ledger:secret")[1:], codes.OK},
		{"wrong password", basic("ledger:Secret"), codes.Unauthenticated},
		{"wrong user", basic("admin:secret"), codes.Unauthenticated},
		{"empty password", basic("ledger:"), codes.Unauthenticated},
		{"no base64", "Basic ledger:secret", codes.Unauthenticated},
		{"another scheme", "Bearer " + basic("ledger:secret")[6:], codes.Unauthenticated},
		{"nothing", "", codes.Unauthenticated},
	}
	for _, row := range rows {
		ctx := w.ctx
		if row.header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", row.header)
		}
		_, err := drain(w.ask(ctx, readOptions(all, false, fromStart, 1)))
		wantStatus(t, row.name+", read", err, row.code, nil)
		_, err = w.streams.Tombstone(ctx, tombstone("", -1))
		if want := row.code; want == codes.OK {
			wantStatus(t, row.name+", tombstone", err, codes.InvalidArgument, nil)
		} else {
			wantStatus(t, row.name+", tombstone", err, want, nil)
		}
	}
	if _, err := gossip.NewGossipClient(w.conn).Read(w.ctx, &shared.Empty{}); err != nil {
		t.Errorf("gossip, which clients call without credentials: %v", err)
	}
}

func TestDiscovery(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	features, err := serverfeatures.NewServerFeaturesClient(w.conn).GetSupportedMethods(w.ctx, &shared.Empty{})
	if err != nil || features.GetEventStoreServerVersion() != "24.10.5" {
		t.Errorf("features: %v, %v", features, err)
	}
	members, err := gossip.NewGossipClient(w.conn).Read(w.ctx, &shared.Empty{})
	if err != nil || len(members.GetMembers()) != 1 {
		t.Fatalf("members: %v, %v", members, err)
	}
	m := members.GetMembers()[0]
	if got := fmt.Sprintf("%s:%d", m.GetHttpEndPoint().GetAddress(), m.GetHttpEndPoint().GetPort()); got != w.address || m.State != gossip.MemberInfo_Leader || !m.IsAlive {
		t.Errorf("member: %v, want the leader at %s", m, w.address)
	}
	advertised := dial(t, openSQLite(t), esdbface.Options{Advertise: "ledger.example:2113"})
	members, err = gossip.NewGossipClient(advertised.conn).Read(w.ctx, &shared.Empty{})
	if err != nil || members.GetMembers()[0].GetHttpEndPoint().GetAddress() != "ledger.example" {
		t.Errorf("members: %v, %v", members, err)
	}
	_, err = persistent.NewPersistentSubscriptionsClient(w.conn).List(w.ctx, &persistent.ListReq{})
	wantStatus(t, "persistent subscriptions", err, codes.Unimplemented, nil)
}

// TestGoClient is the official client as its users use it: found through
// gossip, JSON, any revision, metadata, deletion.
func TestGoClient(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	config, err := esdb.ParseConnectionString("esdb+discover://" + w.address + "?tls=false")
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	got, err := client.AppendToStream(w.ctx, "a-1", esdb.AppendToStreamOptions{}, esdb.EventData{
		EventID: uuid.New(), EventType: "a.v1", ContentType: esdb.ContentTypeJson, Data: []byte(`{"a":1}`), Metadata: []byte(`{"m":2}`)})
	if err != nil || got.NextExpectedVersion != 0 || got.CommitPosition == 0 {
		t.Fatalf("append: %+v, %v", got, err)
	}
	stream, err := client.ReadStream(w.ctx, "a-1", esdb.ReadStreamOptions{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	ev, err := stream.Recv()
	if err != nil || ev.Event.ContentType != asJSON || string(ev.Event.Data) != `{"a":1}` || string(ev.Event.UserMetadata) != `{"m":2}` || ev.Event.Position.Commit != got.CommitPosition {
		t.Errorf("read: %+v, %v", ev, err)
	}
	_, err = client.AppendToStream(w.ctx, "a-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, esdb.EventData{EventType: "a.v1"})
	if e, _ := esdb.FromError(err); e == nil || e.Code() != esdb.ErrorCodeWrongExpectedVersion {
		t.Errorf("conflict: %v", err)
	}
	if _, err := client.GetStreamMetadata(w.ctx, "a-1", esdb.ReadStreamOptions{}); err == nil {
		t.Error("there is stream metadata")
	}
	if deleted, err := client.TombstoneStream(w.ctx, "a-1", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Revision(0)}); err != nil || deleted.Position.Commit == 0 {
		t.Errorf("tombstone: %+v, %v", deleted, err)
	}
	gone, err := client.ReadStream(w.ctx, "a-1", esdb.ReadStreamOptions{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	if _, err = gone.Recv(); err == nil {
		t.Error("a tombstoned stream can be read")
	} else if e, _ := esdb.FromError(err); e.Code() != esdb.ErrorCodeStreamDeleted {
		t.Errorf("reading a tombstoned stream: %v", err)
	}
}

// broken is a log whose calls fail as told.
type broken struct {
	eventlog.Log
	err error
}

func (b broken) Append(context.Context, string, int64, []eventlog.Event) (eventlog.Appended, error) {
	if b.err == nil {
		panic("scripted")
	}
	return eventlog.Appended{}, b.err
}

func (b broken) Read(context.Context, eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		if b.err == nil {
			panic("scripted")
		}
		yield(eventlog.Recorded{}, b.err)
	}
}

// TestLogErrors: what the log's errors become, and that a panic in a handler
// costs one call only.
func TestLogErrors(t *testing.T) {
	rows := []struct {
		name          string
		err           error
		append, read  codes.Code
		secretInError bool
	}{
		{"panic", nil, codes.Internal, codes.Internal, false},
		{"unavailable", eventlog.ErrUnavailable, codes.Unavailable, codes.Unavailable, false},
		{"full", eventlog.ErrFull, codes.Unavailable, codes.Unavailable, false},
		{"closed", eventlog.ErrClosed, codes.Unavailable, codes.Unavailable, false},
		{"unknown outcome", fmt.Errorf("x: %w", eventlog.ErrUnknownOutcome), codes.Aborted, codes.Aborted, false},
		{"damaged", eventlog.ErrDamaged, codes.DataLoss, codes.DataLoss, false},
		{"anything else", errors.New("secret path"), codes.Internal, codes.Internal, true},
	}
	for _, row := range rows {
		w := dial(t, broken{openSQLite(t), row.err}, esdbface.Options{})
		_, trailers, err := w.push(noStream("a-1"), one(1))
		wantStatus(t, row.name+", append", err, row.append, trailers)
		if row.secretInError && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the client is told %v", row.name, err)
		}
		_, err = drain(w.ask(w.ctx, readOptions(all, false, fromStart, 1)))
		wantStatus(t, row.name+", read", err, row.read, nil)
		call, err := w.streams.BatchAppend(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := call.Send(chunk(1, batchOptions("a-1", eventlog.NoStream), true, one(1))); err != nil {
			t.Fatal(err)
		}
		if resp := answers(t, call, 1)[id(1)]; resp.GetError().GetCode() == 0 {
			t.Errorf("%s, batch: %v", row.name, resp)
		}
	}
}

// TestIdleSubscription outlives the pings an idle client sends every 10 s,
// which grpc's defaults punish at about 31 s.
func TestIdleSubscription(t *testing.T) {
	if os.Getenv("CLAWLEDGER_SOAK") == "" {
		t.Skip("set CLAWLEDGER_SOAK=1 to keep a subscription idle for 45 s")
	}
	w := dial(t, openSQLite(t), esdbface.Options{})
	config, err := esdb.ParseConnectionString("esdb://" + w.address + "?tls=false")
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*guard)
	defer cancel()
	sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(45 * time.Second)
	if _, err := w.log.Append(ctx, "a-1", eventlog.NoStream, []eventlog.Event{event("a.v1", "x")}); err != nil {
		t.Fatal(err)
	}
	for {
		switch got := sub.Recv(); {
		case got.SubscriptionDropped != nil:
			t.Fatalf("dropped: %v", got.SubscriptionDropped.Error)
		case got.EventAppeared != nil:
			return
		}
	}
}
