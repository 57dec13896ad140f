package esdbface_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

// garbage is a message of which not even the first byte can be decoded.
type garbage struct{ size int }

func (g garbage) Marshal(any) ([]byte, error)      { return bytes.Repeat([]byte{0xff}, g.size), nil }
func (garbage) Unmarshal(data []byte, v any) error { return nil }
func (garbage) Name() string                       { return "proto" }

// garble makes a unary call with size bytes of garbage.
func (w *wire) garble(ctx context.Context, method string, size int) error {
	return w.conn.Invoke(ctx, method, &shared.Empty{}, &shared.Empty{}, grpc.ForceCodec(garbage{size}))
}

// TestStrangersAreNotRead: without credentials, what a call sends is neither
// decoded nor taken in. With them it is, and found to be garbage.
func TestStrangersAreNotRead(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{User: "ledger", Password: "secret"})
	known := metadata.AppendToOutgoingContext(w.ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("ledger:secret")))
	const size = 1 << 20
	rows := []struct {
		method          string
		stranger, known codes.Code
	}{
		{streams.Streams_Tombstone_FullMethodName, codes.Unauthenticated, codes.Internal},
		{streams.Streams_Delete_FullMethodName, codes.Unauthenticated, codes.Internal},
		{"/no.such.Service/Call", codes.Unauthenticated, codes.Unimplemented},
		// Open to all; nothing that is sent matters.
		{gossip.Gossip_Read_FullMethodName, codes.OK, codes.OK},
		{serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName, codes.OK, codes.OK},
	}
	for _, row := range rows {
		wantStatus(t, row.method+" by a stranger", w.garble(w.ctx, row.method, size), row.stranger, nil)
		wantStatus(t, row.method+" with credentials", w.garble(known, row.method, size), row.known, nil)
	}
}

// TestReadOnlyTakesOnlyQuestions: a face that stores nothing needs no room for
// events.
func TestReadOnlyTakesOnlyQuestions(t *testing.T) {
	const most = 64 << 10
	rows := []struct {
		name     string
		readOnly bool
		size     int
		want     codes.Code
	}{
		{"read-only, within", true, most - 1000, codes.PermissionDenied},
		{"read-only, beyond", true, most, codes.ResourceExhausted},
		{"writable", false, most, codes.OK},
	}
	for _, row := range rows {
		w := dial(t, openSQLite(t), esdbface.Options{ReadOnly: row.readOnly})
		_, err := w.streams.Tombstone(w.ctx, tombstone(strings.Repeat("x", row.size), -1))
		wantStatus(t, row.name, err, row.want, nil)
	}
}

// TestReadOnlyStreams counts the calls that a connection lets begin.
func TestReadOnlyStreams(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{ReadOnly: true})
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got := maxStreams(t, conn); got != 100 {
		t.Errorf("a connection may have %d calls, want 100", got)
	}
}

// TestHeadersAreBounded: headers come before credentials can be checked.
func TestHeadersAreBounded(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{User: "ledger", Password: "secret"})
	conn, err := grpc.NewClient(w.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	rows := []struct {
		name string
		size int
		want codes.Code
	}{{"few", 1 << 10, codes.Unauthenticated}, {"too many", 64 << 10, codes.Internal}}
	for _, row := range rows {
		ctx := metadata.AppendToOutgoingContext(w.ctx, "x-padding", strings.Repeat("x", row.size))
		_, err := streams.NewStreamsClient(conn).Tombstone(ctx, tombstone("key-1", -1))
		wantStatus(t, row.name, err, row.want, nil)
	}
	if _, err := gossip.NewGossipClient(conn).Read(w.ctx, &shared.Empty{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// secretive is a log that panics with what it was given.
type secretive struct{ eventlog.Log }

func (secretive) Append(_ context.Context, _ string, _ int64, events []eventlog.Event) (eventlog.Appended, error) {
	panic(string(events[0].Data))
}

// lines is a buffer that several goroutines log to.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func TestPanicsAreLoggedWithoutTheirValue(t *testing.T) {
	out := new(lines)
	w := dial(t, secretive{openSQLite(t)}, esdbface.Options{Logger: slog.New(slog.NewTextHandler(out, nil))})
	_, trailers, err := w.push(noStream("a-1"), message("11111111-1111-4111-8111-111111111111", "a.v1", "application/octet-stream", "canary"))
	wantStatus(t, "append", err, codes.Internal, trailers)
	call, err := w.streams.BatchAppend(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	m := one(1)
	m.Data = []byte("canary")
	if err := call.Send(chunk(1, batchOptions("a-1", eventlog.NoStream), true, m)); err != nil {
		t.Fatal(err)
	}
	answers(t, call, 1)
	out.mu.Lock()
	defer out.mu.Unlock()
	text := out.String()
	if strings.Contains(text, "canary") {
		t.Errorf("the log tells what a client sent: %s", text)
	}
	if got := strings.Count(text, "panic.type=string"); got != 2 || strings.Count(text, "secretive.Append") < 2 {
		t.Errorf("the log tells of %d panics, want 2 with their stacks: %s", got, text)
	}
}

// maxStreams reads how many calls at a time the server's settings allow.
func maxStreams(t *testing.T, conn net.Conn) uint32 {
	t.Helper()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("the server began with %v", frame)
	}
	n, _ := settings.Value(http2.SettingMaxConcurrentStreams)
	return n
}
