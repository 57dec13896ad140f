package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain/webhook"
)

// loopback allows this machine, where the receivers of tests are.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
}

// receiver is a server with TLS that keeps what it was sent.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []received
}

type received struct {
	method, path string
	header       http.Header
	body         string
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.got = append(r.got, received{q.Method, q.URL.RequestURI(), q.Header, string(body)})
		r.mu.Unlock()
		if answer != nil {
			answer(w, q)
		}
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) taken() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

func (r *receiver) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	return pool
}

func (r *receiver) sender() *Sender { return New(Options{Allow: loopback(), Roots: r.roots()}) }

func send(t *testing.T, s *Sender, url string) webhook.Outcome {
	t.Helper()
	out, err := s.Send(t.Context(), url, "dl_1", time.Now(), []byte(`{"type":"webhook.test"}`), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	out.Millis = 0
	return out
}

func want(t *testing.T, got, want webhook.Outcome) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSend(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	want(t, send(t, r.sender(), r.URL+"/claw?a=b"), webhook.Outcome{Status: 204})
	got := r.taken()
	if len(got) != 1 || got[0].method != "POST" || got[0].path != "/claw?a=b" || got[0].body != `{"type":"webhook.test"}` {
		t.Fatalf("received %+v", got)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "User-Agent": userAgent, "Webhook-Id": "dl_1", "Accept-Encoding": ""} {
		if have := got[0].header.Get(name); have != value {
			t.Errorf("%s: %q, want %q", name, have, value)
		}
	}
	if strings.Contains(got[0].header.Get("Webhook-Signature"), " ") {
		t.Error("two signatures of one key")
	}
}

func TestSendPlainToLoopback(t *testing.T) {
	var hits atomic.Int64
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer plain.Close()
	want(t, send(t, New(Options{Allow: loopback()}), plain.URL), webhook.Outcome{Status: 200})
	want(t, send(t, New(Options{}), plain.URL), webhook.Outcome{Failure: webhook.FailedAddress})
	if hits.Load() != 1 {
		t.Errorf("%d hits, want 1", hits.Load())
	}
}

func TestStatuses(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		want   webhook.Outcome
	}{
		{"created", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, webhook.Outcome{Status: 201}},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, webhook.Outcome{Status: 410, Failure: webhook.FailedStatus}},
		{"error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", 500) }, webhook.Outcome{Status: 500, Failure: webhook.FailedStatus}},
		{"too many", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "90"); w.WriteHeader(429) },
			webhook.Outcome{Status: 429, Failure: webhook.FailedStatus, RetryAfter: 90 * time.Second}},
		{"a date to retry after", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "Wed, 21 Oct 2099 07:28:00 GMT")
			w.WriteHeader(503)
		}, webhook.Outcome{Status: 503, Failure: webhook.FailedStatus}},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, webhook.Outcome{Failure: webhook.FailedConnect}},
		{"broken off in the body", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, webhook.Outcome{Status: 200}},
		{"huge headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Huge", strings.Repeat("x", 1<<20)) },
			webhook.Outcome{Failure: webhook.FailedConnect}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newReceiver(t, row.answer)
			want(t, send(t, r.sender(), r.URL), row.want)
			if len(r.taken()) != 1 {
				t.Errorf("received %d requests, want 1", len(r.taken()))
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		other := newReceiver(t, nil)
		r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, other.URL, status) })
		want(t, send(t, r.sender(), r.URL), webhook.Outcome{Status: status, Failure: webhook.FailedStatus})
		if len(other.taken()) != 0 {
			t.Errorf("a %d was followed", status)
		}
	}
}

// A slow receiver costs the time that was allowed, and one that was quick to
// say yes and slow with the rest has taken the notification.
func TestSlowReceivers(t *testing.T) {
	hang := func(w http.ResponseWriter, q *http.Request) { <-q.Context().Done() }
	slowBody := func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never says a word, not even TLS
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		url    string
		want   webhook.Outcome
	}{
		{"never answers", hang, "", webhook.Outcome{Failure: webhook.FailedTimeout}},
		{"never ends", slowBody, "", webhook.Outcome{Status: 200}},
		{"never shakes hands", hang, "https://" + silent.Addr().String(), webhook.Outcome{Failure: webhook.FailedTimeout}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newReceiver(t, row.answer)
			s := New(Options{Allow: loopback(), Roots: r.roots(), Timeout: 200 * time.Millisecond})
			url := row.url
			if url == "" {
				url = r.URL
			}
			want(t, send(t, s, url), row.want)
		})
	}
}

// An answer without an end is let go after a little.
func TestHugeAnswer(t *testing.T) {
	wrote := make(chan int64, 1)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk, n := make([]byte, 64<<10), int64(0)
		for {
			m, err := w.Write(chunk)
			if n += int64(m); err != nil {
				wrote <- n
				return
			}
		}
	})
	want(t, send(t, r.sender(), r.URL), webhook.Outcome{Status: 200})
	if n := <-wrote; n > 64<<20 { // what buffers between the two take
		t.Errorf("the receiver could write %d bytes", n)
	}
}

func TestTLS(t *testing.T) {
	r := newReceiver(t, nil)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	oldRoots := x509.NewCertPool()
	oldRoots.AddCert(old.Certificate())
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, row := range []struct {
		name   string
		sender *Sender
		url    string
		want   webhook.Failure
	}{
		{"a certificate of nobody's", New(Options{Allow: loopback()}), r.URL, webhook.FailedTLS},
		{"another name's certificate", New(Options{Allow: loopback(), Roots: r.roots(), Resolver: newNameserver(t, "127.0.0.1")}),
			strings.Replace(r.URL, "127.0.0.1", "hooks.test", 1), webhook.FailedTLS},
		{"its name's certificate", New(Options{Allow: loopback(), Roots: r.roots(), Resolver: newNameserver(t, "127.0.0.1")}),
			strings.Replace(r.URL, "127.0.0.1", "example.com", 1), ""},
		{"TLS 1.1", New(Options{Allow: loopback(), Roots: oldRoots}), old.URL, webhook.FailedTLS},
		{"no TLS", New(Options{Allow: loopback()}), strings.Replace(plain.URL, "http:", "https:", 1), webhook.FailedTLS},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := send(t, row.sender, row.url); got.Failure != row.want {
				t.Errorf("%+v, want %q", got, row.want)
			}
		})
	}
	if len(r.taken()) != 1 {
		t.Errorf("%d requests on trusted connections, want 1", len(r.taken()))
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	want(t, send(t, New(Options{Allow: loopback()}), "https://"+address), webhook.Outcome{Failure: webhook.FailedConnect})
}

// A name is judged by what it resolves to when the socket connects, however
// often that changes.
func TestNamesOfPrivateAddresses(t *testing.T) {
	r := newReceiver(t, nil)
	for _, row := range []struct{ name, address string }{
		{"loopback", "127.0.0.2"}, {"metadata", "169.254.169.254"}, {"private", "10.0.0.1"}, {"unspecified", "0.0.0.0"},
		{"NAT64", "64:ff9b::a9fe:a9fe"}, {"unique local", "fd00:ec2::254"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := New(Options{Allow: loopback(), Roots: r.roots(), Resolver: newNameserver(t, row.address)})
			want(t, send(t, s, strings.Replace(r.URL, "127.0.0.1", "example.com", 1)), webhook.Outcome{Failure: webhook.FailedAddress})
		})
	}
	if len(r.taken()) != 0 {
		t.Errorf("received %+v", r.taken())
	}
}

// Between two looks the name changes to this machine's metadata service, as an
// attacker's name server would have it.
func TestRebinding(t *testing.T) {
	r := newReceiver(t, nil)
	s := New(Options{Allow: loopback(), Roots: r.roots(), Resolver: newNameserver(t, "127.0.0.1", "169.254.169.254", "127.0.0.1", "127.0.0.3")})
	url := strings.Replace(r.URL, "127.0.0.1", "example.com", 1)
	for i, want := range []webhook.Failure{"", webhook.FailedAddress, "", webhook.FailedAddress} {
		if got := send(t, s, url); got.Failure != want {
			t.Errorf("look %d: %+v, want %q", i, got, want)
		}
	}
	if len(r.taken()) != 2 {
		t.Errorf("%d requests, want 2", len(r.taken()))
	}
}

func TestEnvironmentProxyIsNotUsed(t *testing.T) {
	proxy := newReceiver(t, nil)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	want(t, send(t, New(Options{Resolver: newNameserver(t, "10.0.0.1")}), "https://hooks.example.com/"), webhook.Outcome{Failure: webhook.FailedAddress})
	if len(proxy.taken()) != 0 {
		t.Error("the proxy was asked")
	}
}

// A process that stops has learned nothing.
func TestStopIsNoOutcome(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t, func(_ http.ResponseWriter, q *http.Request) { cancel(); <-q.Context().Done() })
	if out, err := r.sender().Send(ctx, r.URL, "dl_1", time.Now(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, error %v", out, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	r := newReceiver(t, nil)
	s := r.sender()
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if out, err := s.Send(context.Background(), r.URL, "dl_1", time.Now(), []byte("{}")); err != nil || out.Status != 200 {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
	all.Wait()
	if len(r.taken()) != 32 {
		t.Errorf("%d requests", len(r.taken()))
	}
}
