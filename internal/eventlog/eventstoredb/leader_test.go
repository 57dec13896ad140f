package eventstoredb_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

// follower is a server that is not the leader: it refuses what requires the
// leader and names one, as EventStoreDB does. To all else it answers like a
// follower that has nothing yet.
type follower struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer
	address string

	mu       sync.Mutex
	leaders  []string       // named one after the other, the last one for ever
	required map[string]int // calls that required the leader, by kind
	lax      map[string]int // calls that did not
}

// follow starts a follower of the given leaders.
func follow(t *testing.T, leaders ...string) *follower {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{address: l.Addr().String(), leaders: leaders, required: map[string]int{}, lax: map[string]int{}}
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	streams.RegisterStreamsServer(server, f)
	serverfeatures.RegisterServerFeaturesServer(server, f)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serving a follower: %v", err)
		}
	})
	return f
}

func (f *follower) url() string { return "esdb://" + f.address + "?tls=false" }

func (f *follower) refuse(ctx context.Context, kind string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	if got := md.Get("requires-leader"); len(got) != 1 || got[0] != "true" {
		f.lax[kind]++
		return nil
	}
	f.required[kind]++
	trailer := metadata.Pairs("exception", "not-leader")
	if leader := f.leaders[0]; leader != "" {
		host, port, _ := net.SplitHostPort(leader)
		trailer.Append("leader-endpoint-host", host)
		trailer.Append("leader-endpoint-port", port)
	}
	if len(f.leaders) > 1 {
		f.leaders = f.leaders[1:]
	}
	if err := grpc.SetTrailer(ctx, trailer); err != nil {
		return err
	}
	return status.Error(codes.NotFound, "Leader info available")
}

func (f *follower) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "24.10.5"}, nil
}

func (f *follower) Append(ss streams.Streams_AppendServer) error {
	if err := f.refuse(ss.Context(), "append"); err != nil {
		return err
	}
	return status.Error(codes.Internal, "a follower was let write")
}

func (f *follower) Tombstone(ctx context.Context, _ *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	if err := f.refuse(ctx, "tombstone"); err != nil {
		return nil, err
	}
	return nil, status.Error(codes.Internal, "a follower was let delete")
}

func (f *follower) Read(req *streams.ReadReq, ss streams.Streams_ReadServer) error {
	if req.GetOptions().GetSubscription() == nil {
		return f.refuse(ss.Context(), "read")
	}
	if err := f.refuse(ss.Context(), "subscribe"); err != nil {
		return err
	}
	if err := ss.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{}}}); err != nil {
		return err
	}
	<-ss.Context().Done()
	return nil
}

// check wants calls of these kinds to have been made, all for the leader only.
func (f *follower) check(t *testing.T, kinds ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, kind := range kinds {
		if f.required[kind] == 0 {
			t.Errorf("%s: no call required the leader", kind)
		}
	}
	if len(f.lax) > 0 {
		t.Errorf("calls that any server may answer: %v", f.lax)
	}
}

// large is an append that can't be sent before a refusal arrives: it exceeds
// what the connection lets through unread.
func large() []eventlog.Event {
	events := make([]eventlog.Event, 8)
	for i := range events {
		events[i] = event("a.v1", string(make([]byte, 100<<10)))
	}
	return events
}

// TestOnlyTheLeader connects to a follower: every kind of call must say that
// it is for the leader, and end there.
func TestOnlyTheLeader(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	small := []eventlog.Event{event("a.v1", "x")}
	rows := []struct {
		name   string
		events []eventlog.Event
	}{{"one small event", small}, {"more than can be sent", large()}}
	for _, row := range rows {
		store := openSQLite(t)
		f := follow(t, serve(t, store, esdbface.Options{}).address)
		log := open(t, f.url())
		got, err := log.Append(ctx, "a-1", eventlog.NoStream, row.events)
		if err != nil || got.Revision != int64(len(row.events)-1) {
			t.Errorf("%s: append through a follower: %+v, %v", row.name, got, err)
		}
		if stored := readAll(t, store, eventlog.Query{}); len(stored) != len(row.events) {
			t.Errorf("%s: the leader has %d events", row.name, len(stored))
		}
		if read := readAll(t, log, eventlog.Query{Stream: "a-1"}); len(read) != len(row.events) {
			t.Errorf("%s: read %d events through a follower", row.name, len(read))
		}
		for d, err := range log.Subscribe(ctx, eventlog.Query{}) {
			if err != nil {
				t.Errorf("%s: subscribing through a follower: %v", row.name, err)
			}
			if d.CaughtUp {
				if d.Position != got.Position {
					t.Errorf("%s: caught up at %d, want %d", row.name, d.Position, got.Position)
				}
				break
			}
		}
		f.check(t, "append", "read", "subscribe")
	}
}

func TestDeleteAtTheLeader(t *testing.T) {
	t.Parallel()
	store := openSQLite(t)
	if _, err := store.Append(t.Context(), "key-1", eventlog.NoStream, []eventlog.Event{event("a.v1", "x")}); err != nil {
		t.Fatal(err)
	}
	f := follow(t, serve(t, store, esdbface.Options{}).address)
	if err := open(t, f.url()).Delete(t.Context(), "key-1"); err != nil {
		t.Errorf("delete through a follower: %v", err)
	}
	if left := readAll(t, store, eventlog.Query{}); len(left) != 0 {
		t.Errorf("the leader still has %d events", len(left))
	}
	f.check(t, "tombstone")
}

// TestLeaderFoundLater has a follower first name a leader that leads no more,
// or none at all: nothing may pass for empty or deleted meanwhile.
func TestLeaderFoundLater(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	store := openSQLite(t)
	const before = 3
	for i := range before {
		if _, err := store.Append(ctx, "key-1", int64(i-1), []eventlog.Event{event("a.v1", strconv.Itoa(i))}); err != nil {
			t.Fatal(err)
		}
	}
	leader := serve(t, store, esdbface.Options{}).address
	rows := []struct{ name, first string }{{"demoted", follow(t, leader).address}, {"unnamed", ""}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			first := row.first
			reading := open(t, follow(t, first, first, leader).url())
			if got := readAll(t, reading, eventlog.Query{Stream: "key-1"}); len(got) < before {
				t.Errorf("read %d events of %d", len(got), before)
			}
			deleting := open(t, follow(t, leader, first, leader).url()) // the first answer is to Open's read
			if err := deleting.Delete(ctx, "key-2"); err != nil {
				t.Errorf("delete: %v", err)
			}
			writing := open(t, follow(t, leader, first, leader).url())
			if got, err := persist(ctx, writing, "a-"+row.name, eventlog.NoStream, event("a.v1", "x")); err != nil || got.Revision != 0 {
				t.Errorf("append: %+v, %v", got, err)
			}
		})
	}
}
