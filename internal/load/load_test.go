package load_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawoffice/ledger/internal/load"
)

// A connection reads answers of a known length and chunked ones, one after the
// other, and what each says of the ledger's position.
func TestConn(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/written":
			w.Header().Set("Ledger-Position", "4711")
			_, _ = io.WriteString(w, `{"permit":"p1","body":"`+string(body)+`"}`)
		case "/long":
			for range 3 {
				_, _ = io.WriteString(w, long)
				w.(http.Flusher).Flush()
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	c, err := load.Dial(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range 2 {
		for _, want := range []struct {
			method, path string
			body         []byte
			status       int
			answer       string
			position     uint64
		}{
			{"POST", "/written", []byte("hello"), 200, `{"permit":"p1","body":"hello"}`, 4711},
			{"GET", "/long", nil, 200, long + long + long, 0},
			{"GET", "/nothing", nil, 404, "", 0},
		} {
			status, answer, err := c.Do(want.method, want.path, "token", want.body)
			if err != nil || status != want.status || string(answer) != want.answer || c.Position() != want.position {
				t.Fatalf("%s: %d, %d bytes, position %d, %v; want %d, %d bytes, position %d", want.path, status, len(answer), c.Position(), err,
					want.status, len(want.answer), want.position)
			}
		}
	}
}

// An answer that is no HTTP is an error, not a guess.
func TestConnRefuses(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":        "SSH-2.0-OpenSSH\r\n",
		"broken length":  "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"broken chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"endless chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"odd position":   "HTTP/1.1 200 OK\r\nLedger-Position: here\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1<<10))
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}()
			c, err := load.Dial(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if status, got, err := c.Do("GET", "/", "", nil); err == nil {
				t.Errorf("%d %q passed for an answer", status, got)
			}
		})
	}
}

// sleeper takes no time, but for one operation that takes a second and one that
// fails.
type sleeper struct{ done int }

var errOne = errors.New("the one that fails")

func (s *sleeper) Prepare(int) error { return nil }
func (s *sleeper) Close() error      { return nil }

func (s *sleeper) Do() error {
	switch s.done++; s.done {
	case 250:
		time.Sleep(time.Second)
	case 20:
		return errOne
	}
	return nil
}

// Whatever falls due while the server stands still is done, late, and its
// latency says so.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began time.Time
		start := time.Now()
		pace := load.Pace{Workers: 1, PerSecond: 100, Warming: time.Second, Duration: 4 * time.Second, Measuring: func() { began = time.Now() }}
		r, err := pace.Run(t.Context(), func(int) (load.Worker, error) { return &sleeper{}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if began.Sub(start) != time.Second {
			t.Errorf("measuring began %v after the start", began.Sub(start))
		}
		if r.Errors != 1 || !errors.Is(r.FirstError, errOne) {
			t.Errorf("%d errors, the first is %v", r.Errors, r.FirstError)
		}
		if r.Operations < 399 || r.Operations > 401 || r.Elapsed < 4*time.Second-20*time.Millisecond || r.Elapsed > 4*time.Second+20*time.Millisecond {
			t.Errorf("%d operations in %v", r.Operations, r.Elapsed)
		}
		late := int64(0)
		for _, bar := range r.Latency.Distribution() {
			if bar.From > 10_000 { // microseconds
				late += bar.Count
			}
		}
		if late < 95 || late > 101 {
			t.Errorf("%d operations were late, want the hundred of a second", late)
		}
	})
}
