package chrigtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const (
	requireVariable = "CLAWLEDGER_REQUIRE_PEERS"
	libraryVariable = "CLAWLEDGER_LIBCHDB"
	libraryPath     = "internal/chrig/testdata/npm/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
)

// errNoEngine means that the engine is not installed here.
var errNoEngine = errors.New("the ClickHouse engine is not installed")

// Process is a rig that runs.
type Process struct {
	HTTP, Native string // addresses

	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
	says  *output
}

// Start runs a rig on dir for this test alone, which may kill it. Tests that only
// need a database call Open.
func Start(t testing.TB, dir string) *Process {
	t.Helper()
	library, err := findLibrary()
	if err != nil {
		missing(t, err)
	}
	p, err := start(library, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Open connects to the process's own default database.
func (p *Process) Open(t testing.TB, protocol clickhouse.Protocol) driver.Conn {
	t.Helper()
	return open(t, p.options(protocol))
}

func (p *Process) options(protocol clickhouse.Protocol) *clickhouse.Options {
	address := p.Native
	if protocol == clickhouse.HTTP {
		address = p.HTTP
	}
	return &clickhouse.Options{Protocol: protocol, Addr: []string{address}, Auth: clickhouse.Auth{Database: "default", Username: "default"}}
}

// Kill ends the process as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop ends the process as an operator would.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping the rig: %v", err)
	}
	<-p.ended
	if !p.cmd.ProcessState.Success() {
		t.Errorf("the rig ended with %s\n%s", p.cmd.ProcessState, p.says)
	}
}

// missing ends a test that has no engine.
func missing(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNoEngine) && os.Getenv(requireVariable) != "1" {
		t.Skip(err)
	} else {
		t.Fatal(err)
	}
}

// findLibrary answers the path of the engine.
func findLibrary() (string, error) {
	path := os.Getenv(libraryVariable)
	if path == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, filepath.FromSlash(libraryPath))
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: %w; \"make deps\" installs it on Linux with an x86-64 processor (npm, 180 MB to download, 570 MB on disk), and %s names one that is elsewhere; this is %s on %s",
			errNoEngine, err, libraryVariable, runtime.GOOS, runtime.GOARCH)
	}
	return path, nil
}

// moduleRoot goes up from the test's folder to go.mod.
func moduleRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the project: %w", err)
	}
	for dir := at; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above it; run the tests where their sources are", at)
		}
	}
}

// start runs the rig on dir, or on a directory that it removes at
// its end. It also ends when this process does.
func start(library, dir string) (*Process, error) {
	file, err := program()
	if err != nil {
		return nil, err
	}
	p := &Process{ended: make(chan struct{}), says: &output{}}
	p.cmd = exec.Command(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), "-lib", library, "-path", dir, "-until-eof")
	p.cmd.Stderr = p.says
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the rig: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the rig: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the rig: %w", err)
	}
	ready := make(chan error, 1)
	go func() {
		lines := bufio.NewReader(out)
		_, err := fmt.Fscanf(lines, "ready %s %s\n", &p.HTTP, &p.Native)
		ready <- err
		_, _ = io.Copy(p.says, lines)
		_ = p.cmd.Wait() // ProcessState has it
		close(p.ended)
	}()
	select {
	case err = <-ready:
	case <-time.After(2 * time.Minute):
		err = errors.New("not ready after two minutes")
	}
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("starting the rig: %w\n%s", err, p.says)
	}
	return p, nil
}

// program is the rig, built once for this test binary. Its file has no name any
// more, so that nothing is left behind however the tests end.
var program = sync.OnceValues(func() (*os.File, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chrig-build-")
	if err != nil {
		return nil, fmt.Errorf("building the rig: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "chrig")
	if err := build(root, path); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the rig that was built: %w", err)
	}
	return file, nil
})

// build needs no C compiler, because the rig has no cgo.
func build(root, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./internal/chrig/cmd/chrig")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the rig: %w\n%s", err, out)
	}
	return nil
}

// output keeps what a process says.
type output struct {
	mu   sync.Mutex
	said bytes.Buffer
}

// Write keeps more.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(p)
}

// String is all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.String()
}
