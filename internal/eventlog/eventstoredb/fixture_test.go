package eventstoredb_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/eventlog/eventstoredb"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

// guard bounds waiting for what must happen; no sound run comes near it.
const guard = time.Minute

// TestMain also checks, after all tests, that closed logs and stopped faces
// left no goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftovers(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines left behind:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// clientLeak is how many goroutines the esdb client itself may leave behind:
// when a call meets a client in the very moment it lost its server, the client
// forgets a gRPC connection without closing it, which costs three idle
// goroutines. Five tests take the server away, from up to three clients each.
const clientLeak = 5 * 3 * 3

func leftovers() string {
	var left string
	for deadline := time.Now().Add(guard); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		buf := make([]byte, 16<<20)
		left = ""
		forgotten := 0
		for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			switch {
			case strings.Contains(stack, "grpcsync.(*CallbackSerializer).run") && forgotten < clientLeak:
				forgotten++
			case strings.Contains(stack, "google.golang.org/grpc"), strings.Contains(stack, "EventStore-Client-Go"),
				strings.Contains(stack, "internal/eventlog/eventstoredb."):
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}

// openSQLite makes the log that stands for the server's storage.
func openSQLite(t testing.TB) eventlog.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatalf("opening sqlite: %v", err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// server is a face that can go away and come back at the same address.
type server struct {
	t       testing.TB
	log     eventlog.Log
	opts    esdbface.Options
	address string

	face   *esdbface.Face
	conns  *connections
	served chan error
}

func serve(t testing.TB, log eventlog.Log, opts esdbface.Options) *server {
	t.Helper()
	s := &server{t: t, log: log, opts: opts, address: "127.0.0.1:0"}
	s.opts.Grace = 50 * time.Millisecond
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	var l net.Listener
	var err error
	for range 100 { // the address may take a moment to be free again
		if l, err = net.Listen("tcp", s.address); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		s.t.Fatalf("listening on %s: %v", s.address, err)
	}
	s.address = l.Addr().String()
	s.conns = &connections{Listener: l, open: map[net.Conn]bool{}}
	s.face = esdbface.New(s.log, s.opts)
	s.served = make(chan error, 1)
	face, conns, served := s.face, s.conns, s.served
	go func() { served <- face.Serve(conns) }()
}

func (s *server) stop() {
	s.face.Stop()
	if err := <-s.served; err != nil {
		s.t.Errorf("serving: %v", err)
	}
	s.served <- nil // a second stop is harmless
}

func (s *server) url() string { return "esdb://" + s.address + "?tls=false" }

// connections is a listener that can cut what it accepted.
type connections struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
}

func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.open[conn] = true
		c.mu.Unlock()
	}
	return conn, err
}

func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
	clear(c.open)
}

func open(t testing.TB, url string) *eventstoredb.Log {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	log, err := eventstoredb.Open(ctx, url, eventstoredb.Options{})
	if err != nil {
		t.Fatalf("opening eventstoredb: %v", err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func event(kind, data string) eventlog.Event {
	ev := eventlog.Event{Type: kind, Data: []byte(data), Meta: []byte(`{}`)}
	_, _ = rand.Read(ev.ID[:]) // never fails, see crypto/rand
	ev.ID[0] |= 1
	return ev
}

// persist appends as the port's contract tells callers to: the same ids at the
// same revision until the outcome is known.
func persist(ctx context.Context, log eventlog.Log, stream string, expected int64, ev eventlog.Event) (eventlog.Appended, error) {
	for {
		call, cancel := context.WithTimeout(ctx, 2*time.Second)
		got, err := log.Append(call, stream, expected, []eventlog.Event{ev})
		cancel()
		if ctx.Err() != nil || !errors.Is(err, eventlog.ErrUnknownOutcome) && !errors.Is(err, eventlog.ErrUnavailable) {
			return got, err
		}
	}
}

func readAll(t testing.TB, log eventlog.Log, q eventlog.Query) (out []eventlog.Recorded) {
	t.Helper()
	for r, err := range log.Read(t.Context(), q) {
		if err != nil {
			t.Fatalf("reading %+v: %v", q, err)
		}
		out = append(out, r)
	}
	return out
}
