package consoletest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds what is waited for. The machine may be busy.
const patience = 90 * time.Second

// program is a clawledger that serves.
type program struct {
	cmd   *exec.Cmd
	url   string
	data  string
	http  *http.Client
	errs  buffer
	ended chan struct{}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// build builds the program as these tests are built, and answers its path.
func build(directory string) (string, error) {
	path := filepath.Join(directory, "clawledger")
	args := []string{"build", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "github.com/clawoffice/ledger/cmd/clawledger")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// startProgram starts the program on a free port with a new log.
func startProgram(path, data string, flags ...string) (*program, error) {
	p := &program{data: data, ended: make(chan struct{}), http: http.DefaultClient}
	p.cmd = exec.Command(path, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
	p.cmd.Stderr = &p.errs
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), "ClawOffice ledger at "); ok {
				found <- rest
			}
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	select {
	case p.url = <-found:
	case <-p.ended:
		return nil, fmt.Errorf("the program ended at once: %s\n%s", p.cmd.ProcessState, p.errs.String())
	case <-time.After(patience):
		return nil, errors.Join(errors.New("the program says nothing"), p.stop())
	}
	return p, nil
}

// ready waits until the program can do its work.
func (p *program) ready() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if resp, err := p.http.Get(p.url + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("the program does not get ready\n%s", p.errs.String())
}

// stop ends the program as an operator would. A data race makes its end an error.
func (p *program) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("the program did not stop\n%s", p.errs.String())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || strings.Contains(p.errs.String(), "DATA RACE") {
		return fmt.Errorf("the program ended with %d\n%s", code, p.errs.String())
	}
	return nil
}

// operator is a client with the operator's token.
func (p *program) operator(f failer) (*client, error) {
	token, err := os.ReadFile(filepath.Join(p.data, "keys", "operator.token"))
	if err != nil {
		return nil, err
	}
	return &client{t: f, url: p.url, http: p.http, token: strings.TrimSpace(string(token))}, nil
}
