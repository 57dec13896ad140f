package directory_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/directory"
)

// runOf is what an ordinary execution leaves in the log, as two appends.
func runOf(ws domain.WorkspaceID, i int) (stream string, parts [][]ledger.Draft) {
	id := fmt.Sprintf("ex_%026d", i)
	stream = ledger.ExecutionStream(ws, domain.ExecutionID(id))
	fact := func(n int, kind, event string) ledger.Draft {
		d := ledgertest.Draft(fmt.Sprint(stream, n), kind, "")
		d.Payload = ledger.WrapFact("mmmmmmmmmmmmmmmmmmmmmm", []byte(event))
		d.Actor, d.Credential, d.Cause = domain.AgentActor(domain.AgentID(fmt.Sprintf("ag_%02d", i%20))), "tk_aaaaaaaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef0123456789abcdef"
		return d
	}
	content := func(n int, kind string) ledger.Draft {
		return ledgertest.Draft(fmt.Sprint(stream, n), kind, strings.Repeat("the quick brown fox ", 30))
	}
	decision := `"decision":{"effect":"allow","policy":"p1","version":1,"digest":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","rule":"r1","reason":"small amounts"}`
	at := `"at":"2026-11-22T13:00:00.000001Z"`
	return stream, [][]ledger.Draft{{
		fact(0, "execution.requested.v1", `{"execution":"`+id+`","workflow":"invoices","action":{"id":"ac_1","kind":"payment.initiate","params":{"amount":1200,"iban":"DE02120300000000202051"},"digest":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},`+decision+
			`,"permit":{"id":"pm_1","expires_at":"2026-11-22T13:10:00Z"},"by":"agent:ag_01","roles":["agent"],`+at+`}`),
	}, {
		fact(1, "execution.action_started.v1", `{"action":"ac_1","permit":"pm_1",`+decision+`,`+at+`}`),
		fact(2, "execution.prompt_recorded.v1", `{"prompt":"pr_1","model":"m1","subject":"","content":{"digest":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","size":600},"prompt_tokens":20,"max_output_tokens":100,"reservation":"rs_1","cost_micros":10,"expires_at":"2026-11-22T13:10:00Z",`+at+`}`),
		content(3, "content.prompt.v1"),
		fact(4, "execution.completion_recorded.v1", `{"prompt":"pr_1","content":{"digest":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","size":600},"usage":{"prompt_tokens":20,"output_tokens":50},`+at+`}`),
		content(5, "content.completion.v1"),
		fact(6, "execution.completed.v1", `{`+at+`}`),
	}}
}

// fill appends n executions from many writers at once and answers the number
// of records.
func fill(tb testing.TB, f *ledgertest.Fixture, ws domain.WorkspaceID, from, n int) (records int) {
	tb.Helper()
	const writers = 64
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := from + w; i < from+n; i += writers {
				stream, parts := runOf(ws, i)
				tail := ledger.NoTail()
				for _, part := range parts {
					receipt, err := f.Append(context.Background(), stream, tail, part)
					if err != nil {
						tb.Error(err)
						return
					}
					tail = receipt.Tail
				}
			}
		})
	}
	work.Wait()
	return 7 * n
}

// BenchmarkRebuild makes models from a log, checks included. Beside each figure
// stands how many signatures the machine made a second on all cores right
// before and after it, since neighbours change its speed.
func BenchmarkRebuild(b *testing.B) {
	for _, h := range []struct {
		name string
		fill func(testing.TB, *ledgertest.Fixture, int)
	}{{"mixed", mixed}, {"creates", creates}} {
		b.Run(h.name, func(b *testing.B) {
			f, records := history(b, h.name, h.fill)
			for _, names := range [][]string{{access.Name}, {directory.Name}, {access.Name, directory.Name}} {
				b.Run(strings.Join(names, "+"), func(b *testing.B) { benchRebuild(b, f, records, names) })
			}
		})
	}
}

func benchRebuild(b *testing.B, f *ledgertest.Fixture, records int, names []string) {
	for b.Loop() {
		m, err := projections.New(f.Ledger, b.TempDir(), projections.Options{}, access.New(f.Ring), directory.New())
		if err != nil {
			b.Fatal(err)
		}
		before := signatures()
		start, processor := time.Now(), processorTime(b)
		if err := m.Rebuild(context.Background(), names, nil); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		b.ReportMetric(float64((processorTime(b)-processor).Microseconds())/float64(records), "cpu-µs/record")
		b.ReportMetric(float64(records)/took.Seconds(), "records/s")
		b.ReportMetric(resident(b), "RSS-MiB")
		b.ReportMetric((before+signatures())/2, "signatures/s")
	}
}

// signatures is how many Ed25519 signatures all cores make a second just now.
func signatures() float64 {
	_, key, _ := ed25519.GenerateKey(nil)
	const each = 5000
	var work sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for range each {
				ed25519.Sign(key, []byte("how fast is this machine now?"))
			}
		})
	}
	work.Wait()
	return each * float64(runtime.GOMAXPROCS(0)) / time.Since(start).Seconds()
}

// resident is the process's memory in MiB.
func resident(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // not on Linux
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

const benchExecutions = 20_000

// BenchmarkLive appends with and without models that follow, and tells what
// the models cost in processor time per record.
func BenchmarkLive(b *testing.B) {
	f := ledgertest.New(b)
	var alone, with time.Duration
	records, from := 0, 0
	next := func() (n int) {
		n = fill(b, f, "acme", from, benchExecutions/4)
		from += benchExecutions / 4
		return n
	}
	for b.Loop() {
		start := processorTime(b)
		next()
		alone += processorTime(b) - start
		m, err := projections.New(f.Ledger, b.TempDir(), projections.Options{}, access.New(f.Ring), directory.New())
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- m.Run(ctx) }()
		wait := func() {
			head, err := f.ReadHead(ctx)
			if err != nil {
				b.Fatal(err)
			}
			for _, name := range []string{access.Name, directory.Name} {
				if err := m.WaitFor(ctx, name, head); err != nil {
					b.Fatal(err)
				}
			}
		}
		wait()
		start = processorTime(b)
		records += next()
		wait()
		with += processorTime(b) - start
		cancel()
		if err := <-ran; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((with-alone).Microseconds())/float64(records), "cpu-µs/record")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
