package consoletest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := closing(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// rig is what all tests share: the program with a story in it, and a browser.
type rig struct {
	directory string
	binary    string
	program   *program
	browser   *browser
	axe       string // the source of axe-core
	story     story
	strange   strange
}

// shared starts the rig when a test first wants it.
var shared = sync.OnceValues(startRig)

// closers end what was started, the last first.
var closers []func() error

func closing() (err error) {
	for i := len(closers) - 1; i >= 0; i-- {
		err = errors.Join(err, closers[i]())
	}
	return err
}

// need answers the rig. Without what it needs, the test is skipped, or fails if
// that has to be there.
func need(t *testing.T) *rig {
	t.Helper()
	r, err := shared()
	var absent *missing
	switch {
	case errors.As(err, &absent) && os.Getenv("CLAWLEDGER_REQUIRE_PEERS") != "1":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	own := *r
	own.story.office, own.strange.office = r.story.in(t), r.strange.in(t)
	return &own
}

// missing says what is not installed, and how to get it.
type missing struct{ what, how string }

func (m *missing) Error() string { return "no " + m.what + "; " + m.how }

// findBrowser answers the path of Chromium.
func findBrowser() (string, error) {
	if path := os.Getenv("CLAWLEDGER_CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &missing{"Chromium", `"make deps" installs it for root (apt-get install chromium); CLAWLEDGER_CHROMIUM names another`}
}

// findAxe answers the source of axe-core.
func findAxe() (string, error) {
	source, err := os.ReadFile(filepath.Join("testdata", "npm", "node_modules", "axe-core", "axe.min.js"))
	if errors.Is(err, os.ErrNotExist) {
		return "", &missing{"axe-core", `"make deps" installs it where npm is ("npm ci" in http/console/consoletest/testdata/npm)`}
	}
	return string(source), err
}

func startRig() (*rig, error) {
	path, err := findBrowser()
	if err != nil {
		return nil, err
	}
	r := &rig{}
	if r.axe, err = findAxe(); err != nil {
		return nil, err
	}
	if r.directory, err = os.MkdirTemp("", "consoletest-"); err != nil {
		return nil, err
	}
	closers = append(closers, func() error { return os.RemoveAll(r.directory) })
	if r.binary, err = build(r.directory); err != nil {
		return nil, err
	}
	if r.program, err = startProgram(r.binary, filepath.Join(r.directory, "data")); err != nil {
		return nil, err
	}
	closers = append(closers, r.program.stop)
	if err := r.program.ready(); err != nil {
		return nil, err
	}
	if r.browser, err = startBrowser(path, r.directory); err != nil {
		return nil, err
	}
	closers = append(closers, r.browser.close)
	return r, r.fill()
}

// fill tells the program the stories. What goes wrong there is an error of the rig.
func (r *rig) fill() (err error) {
	defer func() {
		if p := recover(); p != nil {
			failure, ok := p.(startError)
			if !ok {
				panic(p)
			}
			err = failure
		}
	}()
	operator, err := r.program.operator(starting{})
	if err != nil {
		return err
	}
	r.story = tellStory(operator)
	r.strange = tellStrange(operator)
	return nil
}

// failer is the part of a test that the client of the API needs.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// starting fails the start of the rig instead of a test.
type starting struct{}

type startError struct{ error }

func (starting) Helper()                           {}
func (starting) Fatalf(format string, args ...any) { panic(startError{fmt.Errorf(format, args...)}) }

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("CLAWLEDGER_CHROMIUM", "")
	var absent *missing
	if _, err := findBrowser(); !errors.As(err, &absent) {
		t.Errorf("without Chromium: got %v, want what is missing", err)
	}
	t.Chdir(t.TempDir())
	if _, err := findAxe(); !errors.As(err, &absent) {
		t.Errorf("without axe-core: got %v, want what is missing", err)
	}
}
