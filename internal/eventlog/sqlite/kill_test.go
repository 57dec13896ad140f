package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const childDir = "CLAWLEDGER_TEST_CHILD_DIR"

// killEvent is what the child appends: everything follows from the place.
func killEvent(round, writer, revision int) eventlog.Event {
	text := fmt.Sprintf("round %d writer %d revision %d ", round, writer, revision)
	e := eventlog.Event{Type: "kill.survived.v1", Data: []byte(strings.Repeat(text, 1+revision%40)), Meta: []byte(text)}
	copy(e.ID[:], fmt.Sprintf("%04d-%04d-%06d", round, writer, revision))
	return e
}

func killStream(round, writer, revision int) string {
	return fmt.Sprintf("acme/kill-%d-%d-%d", round, writer, revision/10) // ten records each
}

// TestChildAppends is the process that gets killed. It says what was
// acknowledged, each line in one write.
func TestChildAppends(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("only run by TestKill")
	}
	var round int
	if _, err := fmt.Sscan(os.Getenv(childDir+"_ROUND"), &round); err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for writer := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := l.Append(t.Context(), killStream(round, writer, i), int64(i%10)-1, []eventlog.Event{killEvent(round, writer, i)})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := fmt.Fprintf(os.Stdout, "ack %d %d.\n", writer, i); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestKill kills a process that appends, again and again, and finds all that it
// acknowledged.
func TestKill(t *testing.T) {
	rounds := 10
	if os.Getenv("CLAWLEDGER_SOAK") == "1" {
		rounds = 200
	}
	dir := t.TempDir()
	for round := range rounds {
		acked := runAndKill(t, dir, round, 20+rand.IntN(400))
		l, err := Open(t.Context(), dir, Options{FullCheck: round%10 == 9 || round == rounds-1})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkAcked(t, l, round, acked)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill answers how many records each writer had acknowledged.
func runAndKill(t *testing.T, dir string, round, after int) map[int]int {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildAppends$", "-test.v")
	child.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_ROUND=%d", childDir, round))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked, lines, other := map[int]int{}, bufio.NewScanner(out), []string{}
	for n := 0; lines.Scan(); {
		var writer, i int
		if c, err := fmt.Sscanf(lines.Text(), "ack %d %d.", &writer, &i); err != nil || c != 2 || !strings.HasSuffix(lines.Text(), ".") {
			other = append(other, lines.Text()) // the test framework's, or cut off by the kill
			continue
		}
		acked[writer] = i + 1
		if n++; n == after/2 {
			if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, eventlog.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("process ", child.Process.Pid)) {
				t.Errorf("opening beside the child: error %v, want ErrInUse that names process %d", err, child.Process.Pid)
			}
		}
		if n == after {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(acked) == 0 {
		t.Fatalf("round %d: the child ended by itself (%v): %s", round, err, strings.Join(other, "\n"))
	}
	return acked
}

func checkAcked(t *testing.T, l *Log, round int, acked map[int]int) {
	t.Helper()
	for writer, n := range acked {
		for i := 0; i < n; i += 10 {
			stream, have := killStream(round, writer, i), 0
			for r, err := range l.Read(t.Context(), eventlog.Query{Stream: stream}) {
				want := killEvent(round, writer, i+have)
				if err != nil || r.Revision != int64(have) || string(r.Data) != string(want.Data) || string(r.Meta) != string(want.Meta) || r.ID != want.ID {
					t.Fatalf("round %d: %s@%d is not what was appended (%v)", round, stream, have, err)
				}
				have++
			}
			if have < min(10, n-i) {
				t.Errorf("round %d: %s has %d records, at least %d were acknowledged", round, stream, have, min(10, n-i))
			}
		}
	}
}
