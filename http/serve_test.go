package http

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// start serves s on loopback and answers the address and the result of Serve.
func start(t *testing.T, s *Server) (string, chan error) {
	t.Helper()
	addr, done := startIn(t, s)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return addr, done
}

// startIn is start for a caller that stops the server itself.
func startIn(t testing.TB, s *Server) (string, chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	return l.Addr().String(), done
}

func get(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+ownerToken)
	w, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPlainHTTPOnlyOnLoopback(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		config, _, _, _ := fakeConfig()
		config.Insecure = insecure
		s, err := newServer(config)
		if err != nil {
			t.Fatal(err)
		}
		l := &elsewhere{done: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		if insecure {
			_ = s.Shutdown(t.Context())
			if err := <-served; err != nil {
				t.Errorf("insecure: %v", err)
			}
			continue
		}
		if err := <-served; !errors.Is(err, ErrPlainHTTP) {
			t.Errorf("served plain HTTP on %s: %v", l.Addr(), err)
		}
	}
}

// elsewhere is a listener on an address that others can reach.
type elsewhere struct{ done chan struct{} }

func (e *elsewhere) Accept() (net.Conn, error) { <-e.done; return nil, net.ErrClosed }
func (e *elsewhere) Close() error {
	select {
	case <-e.done:
	default:
		close(e.done)
	}
	return nil
}
func (e *elsewhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }

// writePair writes a self-signed pair with this serial number.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ledger"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp := time.Unix(1_700_000_000+serial, 0)
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	cert, _ := x509.ParseCertificate(der)
	roots.AddCert(cert)
	return certFile, keyFile, roots
}

func tlsClient(roots *x509.CertPool, most uint16) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, MaxVersion: most, MinVersion: tls.VersionTLS12}}}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	config, _, _, _ := fakeConfig()
	var roots *x509.CertPool
	config.CertFile, config.KeyFile, roots = writePair(t, dir, 1)
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := start(t, s)
	w := get(t, tlsClient(roots, tls.VersionTLS13), "https://"+addr+"/v1/workspaces/acme")
	if body := drain(w.Body); w.StatusCode != 200 || w.ProtoMajor != 2 || w.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d HTTP/%d %v %s", w.StatusCode, w.ProtoMajor, w.Header, body)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr+"/healthz", nil)
	if old, err := tlsClient(roots, tls.VersionTLS12).Do(r); err == nil {
		_ = old.Body.Close()
		t.Error("TLS 1.2 was accepted")
	}

	_, _, renewed := writePair(t, dir, 2)
	s.cert.mu.Lock()
	s.cert.looked = time.Time{} // as if a second had gone by
	s.cert.mu.Unlock()
	w = get(t, tlsClient(renewed, tls.VersionTLS13), "https://"+addr+"/healthz")
	drain(w.Body)
	if got := w.TLS.PeerCertificates[0].SerialNumber.Int64(); got != 2 {
		t.Errorf("certificate %d after renewal", got)
	}

	if err := os.WriteFile(config.CertFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cert.mu.Lock()
	s.cert.looked = time.Time{}
	s.cert.mu.Unlock()
	w = get(t, tlsClient(renewed, tls.VersionTLS13), "https://"+addr+"/healthz")
	if drain(w.Body); w.StatusCode != 200 {
		t.Errorf("with a broken certificate file: %d", w.StatusCode)
	}
}

func TestCertificateMustBeReadable(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.CertFile, config.KeyFile = "/nowhere/tls.crt", "/nowhere/tls.key"
	if _, err := newServer(config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestShutdownDrains stops the server while a call is under way: the call must
// be answered, a new one refused, and Serve must end without error.
func TestShutdownDrains(t *testing.T) {
	s, _, _, handlers := newFakeServer(t)
	entered, hold := make(chan struct{}), make(chan struct{})
	handlers.workspace = func(context.Context) (api.GetWorkspaceResponseObject, error) {
		close(entered)
		<-hold
		return api.GetWorkspace200JSONResponse{ID: "acme"}, nil
	}
	addr, served := start(t, s)
	answered := make(chan int, 1)
	go func() {
		w := get(t, http.DefaultClient, "http://"+addr+"/v1/workspaces/acme")
		drain(w.Body)
		answered <- w.StatusCode
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("a stopping server still takes connections")
	}
	close(hold)
	if code := <-answered; code != 200 {
		t.Errorf("the call under way got %d", code)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// streaming answers server-sent events from a channel.
type streaming struct {
	s       *Server
	batches chan []message
	still   func() bool
	ctx     context.Context
}

func (v streaming) VisitStreamEventsResponse(w http.ResponseWriter) error {
	return v.s.follow(v.ctx, w, v.batches, v.still)
}

type streamHandlers struct {
	*fakeHandlers
	answer func(ctx context.Context) api.StreamEventsResponseObject
}

func (h *streamHandlers) StreamEvents(ctx context.Context, _ api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	return h.answer(ctx), nil
}

func TestEventStream(t *testing.T) {
	config, _, _, handlers := fakeConfig()
	batches := make(chan []message, 1)
	h := &streamHandlers{fakeHandlers: handlers}
	config.handlers, config.Timeout = h, time.Millisecond // a stream outlives the time of a request
	config.Limits = Limits{StreamsPerWorkspace: 1, InFlight: 1}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	h.answer = func(ctx context.Context) api.StreamEventsResponseObject {
		return streaming{s, batches, func() bool { return true }, callOf(ctx).base}
	}
	addr, _ := start(t, s)
	w := get(t, http.DefaultClient, "http://"+addr+"/v1/workspaces/acme/events/stream")
	if got := w.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	lines := bufio.NewScanner(w.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return "end"
	}
	if got := next(); got != ": begin" {
		t.Errorf("first line %q", got)
	}
	batches <- []message{{id: "7", event: "a.b.v1", data: []byte("{\n}")}}
	for _, want := range []string{"id: 7", "event: a.b.v1", "data: {", "data: }"} {
		if got := next(); got != want {
			t.Errorf("line %q, want %q", got, want)
		}
	}
	second := get(t, http.DefaultClient, "http://"+addr+"/v1/workspaces/acme/events/stream")
	if body := drain(second.Body); second.StatusCode != 429 {
		t.Errorf("a second stream of the workspace: %d %s", second.StatusCode, body)
	}
	go func() { _ = s.Shutdown(context.Background()) }()
	if got := next(); !strings.HasPrefix(got, ": this replica is stopping") {
		t.Errorf("last line %q", got)
	}
	if got := next(); got != "end" {
		t.Errorf("after the end: %q", got)
	}
}

func TestEventStreamEndsWithTheRight(t *testing.T) {
	config, _, _, handlers := fakeConfig()
	h := &streamHandlers{fakeHandlers: handlers}
	config.handlers = h
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	batches := make(chan []message)
	h.answer = func(ctx context.Context) api.StreamEventsResponseObject {
		return streaming{s, batches, func() bool { return false }, callOf(ctx).base}
	}
	addr, _ := start(t, s)
	w := get(t, http.DefaultClient, "http://"+addr+"/v1/workspaces/acme/events/stream")
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case batches <- []message{{id: "1", data: []byte("{}")}}:
				time.Sleep(10 * time.Millisecond)
			case <-stop:
				return
			}
		}
	}()
	defer close(stop)
	if body := drain(w.Body); !strings.Contains(body, ": this token may not read here any more") {
		t.Errorf("the stream ended with %q", body[max(0, len(body)-100):])
	}
}

// TestTheGeneratedClientWorks asks a real server through the generated client.
func TestTheGeneratedClientWorks(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	addr, _ := start(t, s)
	client, err := api.NewClientWithResponses("http://"+addr, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+agentToken)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.RequestExecutionWithResponse(t.Context(), "acme", &api.RequestExecutionParams{IdempotencyKey: new("k")},
		api.ExecutionInput{Workflow: "w", Action: api.ActionInput{Kind: "a.b", Params: []byte(`{}`)}})
	if err != nil || got.JSON201 == nil || got.JSON201.Status != "authorized" {
		t.Fatalf("%v %v %s", err, got.Status(), got.Body)
	}
	denied, err := client.ListMembersWithResponse(t.Context(), "acme", &api.ListMembersParams{})
	if err != nil || denied.ApplicationProblemJSONDefault == nil || denied.ApplicationProblemJSONDefault.Code != "permission_denied" {
		t.Fatalf("%v %s", err, denied.Body)
	}
}
