package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func TestFirstStartAndRestart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	token, err := os.ReadFile(filepath.Join(data, "keys", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(p.out.String(), strings.TrimSpace(string(token))); n != 1 {
		t.Errorf("the first start showed the operator token %d times, want once", n)
	}
	if strings.Contains(p.errs.String(), strings.TrimSpace(string(token))) {
		t.Error("the operator token is in the log")
	}
	info, err := os.Stat(filepath.Join(data, "keys", "operator.token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("operator token file: %v %v", info.Mode(), err)
	}
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	id := o.startExecution()

	code, _, errs := tool(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, data) {
		t.Errorf("a second server on the same data: exit %d, %s", code, errs)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("stopped with exit code %d\n%s", code, p.errs.String())
	}

	again, c2 := serving(t, "--data", data)
	if strings.Contains(again.out.String(), "Operator token") {
		t.Error("the second start shows the operator token again")
	}
	o.agent.url, o.owner.url = c2.url, c2.url
	o.agent.do(200, "POST", o.path("/executions/"+id+"/complete"), `{}`)
	must(t, "verify", "--data", data)
}

func TestLostKeysAreNotMadeAnew(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, _, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	stop()
	if err := os.Rename(filepath.Join(data, "keys"), filepath.Join(data, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := tool(t, "serve", "--data", data, "--listen", "127.0.0.1:0"); code != exitFailed {
		t.Errorf("a log without its keys was served: exit %d", code)
	}
	if exists(filepath.Join(data, "keys")) {
		t.Error("keys were made for a log that has others")
	}
	other := filepath.Join(t.TempDir(), "other")
	_, _, stopOther := startNode(t, serveCmd{Data: other}, io.Discard)
	stopOther()
	if code, _, _ := tool(t, "serve", "--data", data, "--keys", filepath.Join(other, "keys"), "--listen", "127.0.0.1:0"); code != exitFailed {
		t.Errorf("a log with another log's keys was served: exit %d", code)
	}
}

func TestSecondNodeOnSameDataIsRefused(t *testing.T) {
	data := t.TempDir()
	startNode(t, serveCmd{Data: data}, io.Discard)
	p := &program{ctx: t.Context(), out: io.Discard, err: io.Discard, now: time.Now, log: newLogger(io.Discard, "text", "info")}
	if _, err := newNode(t.Context(), serveCmd{Data: data, Listen: "127.0.0.1:0"}, p); !errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("got %v, want %v", err, eventlog.ErrInUse)
	}
}

func TestPlainHTTPIsForThisMachine(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if code, _, _ := tool(t, "serve", "--data", data, "--listen", "0.0.0.0:0"); code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	if exists(data) {
		t.Error("a refused start made the data directory")
	}
	if code, _, _ := tool(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--esdb-face", "0.0.0.0:0"); code != exitUsage {
		t.Errorf("an open face: exit %d, want %d", code, exitUsage)
	}
	if code, _, _ := tool(t, "face", "--data", data, "--listen", "0.0.0.0:0"); code != exitUsage {
		t.Errorf("an open writable face: exit %d, want %d", code, exitUsage)
	}
	if code, _, _ := tool(t, "serve", "--data", data, "--tls-cert", "only.pem"); code != exitUsage {
		t.Errorf("a certificate without a key: exit %d, want %d", code, exitUsage)
	}
}

// certify writes a self-signed certificate for this machine.
func certify(t *testing.T, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, key, pool
}

func TestRenewedCertificateIsUsedWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := certify(t, dir, 1)
	p := spawn(t, "ClawOffice ledger at ", "serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	serial := func(version uint16) (int64, error) {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(p.address, "https://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if n, err := serial(tls.VersionTLS13); err != nil || n != 1 {
		t.Fatalf("certificate %d, %v", n, err)
	}
	if _, err := serial(tls.VersionTLS12); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
	_, _, pool := certify(t, dir, 2)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if n, err := serial(tls.VersionTLS13); err == nil && n == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the renewed certificate is not used")
		}
	}
	c := &client{t: t, url: p.address, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}
	c.ready()
}

// TestStopLosesNothing stops a server under load: every execution that was
// acknowledged is there afterwards.
func TestStopLosesNothing(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	l := startCrowd(o, 8)
	l.until(t, 100)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errs.String())
	}
	made, odd := l.end()
	for _, r := range odd {
		if r.status != 0 && r.status != http.StatusServiceUnavailable {
			t.Errorf("while stopping: %s", r)
		}
	}
	_, c2 := serving(t, "--data", data)
	o.agent.url = c2.url
	for _, id := range made {
		o.agent.do(200, "GET", o.path("/executions/"+id), "")
	}
	must(t, "verify", "--data", data)
}

// TestStopAnswersWhatIsUnderWay stops a server that has half of a request.
func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		o.path("/executions"), o.agent.token, len(callModel), callModel[:10])
	if err != nil {
		t.Fatal(err)
	}
	c.waitBusy(2) // the other call has begun
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); c.try("GET", "/healthz", "", "").status != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it still takes new calls")
		}
	}
	if _, err := io.WriteString(conn, callModel[10:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("the call under way was answered %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out := must(t, "verify", "--data", data, "--workspace", "acme"); !strings.Contains(out, "all good") {
		t.Error(out)
	}
}

// crowd is agents that request executions as fast as they can.
type crowd struct {
	stop chan struct{}
	work sync.WaitGroup
	mu   sync.Mutex
	made []string // executions that were acknowledged
	odd  []reply  // anything but that
}

func startCrowd(o office, agents int) *crowd {
	l := &crowd{stop: make(chan struct{})}
	transport := &http.Transport{MaxIdleConnsPerHost: agents}
	for range agents {
		agent := *o.agent
		agent.http = &http.Client{Transport: transport, Timeout: 40 * time.Second}
		l.work.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
					l.note(agent.try("POST", o.path("/executions"), "", callModel))
				}
			}
		})
	}
	return l
}

func (l *crowd) note(r reply) {
	l.mu.Lock()
	if r.status == http.StatusCreated {
		l.made = append(l.made, r.text("id"))
	} else {
		l.odd = append(l.odd, r)
	}
	l.mu.Unlock()
	if r.status == 0 {
		time.Sleep(5 * time.Millisecond) // nobody answers now
	}
}

// count answers how many executions were acknowledged.
func (l *crowd) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made)
}

// until waits until so many more executions were acknowledged.
func (l *crowd) until(t *testing.T, more int) {
	t.Helper()
	want := l.count() + more
	for end := time.Now().Add(time.Minute); l.count() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Fatalf("only %d of %d executions were made; odd answers: %v", len(l.made), want, l.odd[max(0, len(l.odd)-3):])
		}
	}
}

// end stops the load and answers what came of it.
func (l *crowd) end() (made []string, odd []reply) {
	close(l.stop)
	l.work.Wait()
	return l.made, l.odd
}

func TestHelpIsForPeople(t *testing.T) {
	out := must(t, "--help")
	for _, command := range []string{"serve", "verify", "doctor", "keys", "backup", "restore", "migrate", "face", "rebuild", "bench", "demo", "version"} {
		if !strings.Contains(out, "\n  "+command) {
			t.Errorf("--help does not list %s:\n%s", command, out)
		}
		sub := must(t, command, "--help")
		if !strings.Contains(sub, "Usage: clawledger "+command) {
			t.Errorf("%s --help:\n%s", command, sub)
		}
	}
	for _, later := range []string{"export", "replay", "search"} {
		if strings.Contains(out, "\n  "+later) {
			t.Errorf("--help lists %s, which is not there", later)
		}
	}
}

func TestFlagsEnvironmentAndFile(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parsed := func(args ...string) (cli, error) {
		var c cli
		parser, err := newParser(&c, io.Discard, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(args)
		return c, err
	}
	file := write(fmt.Sprintf("data: %s/flat\nlisten: 127.0.0.1:1\nserve:\n  listen: 127.0.0.1:2\n  insecure: true\nlog-format: json\n", dir))
	c, err := parsed("serve", "--config", file)
	if err != nil || c.Serve.Data != dir+"/flat" || c.Serve.Listen != "127.0.0.1:2" || !c.Serve.Insecure || c.LogFormat != "json" {
		t.Errorf("from the file: %+v, %v", c.Serve, err)
	}
	t.Setenv("CLAWLEDGER_LISTEN", "127.0.0.1:3")
	if c, err = parsed("serve", "--config", file); err != nil || c.Serve.Listen != "127.0.0.1:3" {
		t.Errorf("the environment goes before the file: %s, %v", c.Serve.Listen, err)
	}
	if c, err = parsed("serve", "--config", file, "--listen", "127.0.0.1:4"); err != nil || c.Serve.Listen != "127.0.0.1:4" {
		t.Errorf("a flag goes before both: %s, %v", c.Serve.Listen, err)
	}
	for name, text := range map[string]string{"unknown name": "lisen: 1\n", "unknown name of a command": "serve:\n  lisen: 1\n", "not YAML": "[\n"} {
		t.Run(name, func(t *testing.T) {
			if _, err := parsed("serve", "--config", write(text)); err == nil {
				t.Error("was accepted")
			}
		})
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("listen: 127.0.0.1:9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLAWLEDGER_CONFIG", path)
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve"}); err != nil || c.Serve.Listen != "127.0.0.1:9" {
		t.Errorf("listen %s, %v", c.Serve.Listen, err)
	}
}

// TestExampleConfiguration holds the example in deploy to the flags there are.
func TestExampleConfiguration(t *testing.T) {
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--config", "../../deploy/clawledger.yaml"}); err != nil || c.Serve.Data != "/var/lib/clawledger" {
		t.Errorf("%+v: %v", c.Serve, err)
	}
}
