package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clawoffice/ledger/internal/load"
)

// benchServer is the server under load: one at a URL, or a process of the
// bench's own over a temporary directory.
type benchServer struct {
	target benchTarget
	dir    string
	child  *exec.Cmd
}

// startTime is how long the bench's own server may take until it is ready.
const startTime = 30 * time.Second

func (b benchCmd) server(p *program) (*benchServer, error) {
	s := &benchServer{target: benchTarget{ws: benchWorkspace()}}
	tokenFile := b.TokenFile
	if b.URL != "" {
		var err error
		if s.target.address, err = loopback(b.URL); err != nil {
			return nil, err
		}
		if tokenFile == "" {
			return nil, errors.New("--url needs --token-file, the file with that server's operator token")
		}
	} else {
		if err := b.start(p, s); err != nil {
			s.stop()
			return nil, err
		}
		tokenFile = filepath.Join(s.dir, "keys", "operator.token")
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("reading the operator token: %w", err)
	}
	s.target.operator = strings.TrimSpace(string(token))
	return s, nil
}

// start runs this program's serve as a process of its own, so that what is
// measured of it is not the load generator's.
func (b benchCmd) start(p *program, s *benchServer) (err error) {
	if s.dir, err = os.MkdirTemp("", "clawledger-bench-"); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.target.address = "127.0.0.1:" + strconv.Itoa(port)
	args := []string{"serve", "--log-level=warn", "--data", s.dir, "--listen", s.target.address}
	if b.Eventlog != "" {
		args = append(args, "--eventlog", b.Eventlog)
	}
	s.child = exec.Command(self, args...)
	s.child.Stderr = p.err
	if err := s.child.Start(); err != nil {
		return fmt.Errorf("starting a server for the bench: %w", err)
	}
	return s.waitReady()
}

// freePort answers a port that nobody listens on just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

func (s *benchServer) waitReady() error {
	for end := time.Now().Add(startTime); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		c, err := load.Dial(s.target.address)
		if err != nil {
			continue
		}
		status, _, err := c.Do("GET", "/readyz", "", nil)
		_ = c.Close()
		if err == nil && status == 200 {
			return nil
		}
	}
	return fmt.Errorf("the bench's own server was not ready after %s", startTime)
}

// stop ends the bench's own server and removes what it wrote.
func (s *benchServer) stop() {
	if s.child != nil && s.child.Process != nil {
		_ = s.child.Process.Signal(syscall.SIGTERM)
		_ = s.child.Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// metric reads one of the server's metrics; 0 if it can't.
func (s *benchServer) metric(name string) float64 {
	request, err := http.NewRequest(http.MethodGet, "http://"+s.target.address+"/metrics", nil)
	if err != nil {
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+s.target.operator)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, _ := strconv.ParseFloat(text, 64)
			return value
		}
	}
	return 0
}

// cpuName is the processor's own name, where the system tells it.
func cpuName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	_, rest, ok := strings.Cut(string(data), "model name")
	if !ok {
		return "unknown"
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, " \t:")
}
