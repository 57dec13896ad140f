package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/load"
)

// BenchmarkServer is the scenarios of the bench against a server in this
// process, so that a profile shows both.
func BenchmarkServer(b *testing.B) {
	for _, scenario := range []string{"create", "complete", "prompts", "hot-stream"} {
		b.Run(scenario, func(b *testing.B) {
			target := benchNode(b)
			open, err := target.workers(scenario)
			if err != nil {
				b.Fatal(err)
			}
			plan := load.Plan{Workers: 128, Count: int64(max(b.N, 128))}
			if scenario == "complete" {
				plan.Phase = 64
			}
			b.ReportAllocs()
			b.ResetTimer()
			r, err := load.Run(b.Context(), plan, open)
			if err != nil || r.Errors > 0 {
				b.Fatalf("%d errors, %v, %v", r.Errors, r.FirstError, err)
			}
			b.ReportMetric(r.PerSecond(), "calls/s")
			b.ReportMetric(float64(r.Latency.ValueAtQuantile(99))/1000, "p99-ms")
		})
	}
}

// benchNode starts a server in this process.
func benchNode(b *testing.B) *benchTarget {
	b.Helper()
	p := &program{ctx: b.Context(), out: io.Discard, err: io.Discard, log: slog.New(slog.DiscardHandler), now: time.Now}
	data := b.TempDir()
	n, err := newNode(b.Context(), serveCmd{Data: data, Listen: "127.0.0.1:0", DrainTime: time.Second}, p)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		<-done
		_ = n.Close()
	})
	token, err := os.ReadFile(filepath.Join(data, "keys", "operator.token"))
	if err != nil {
		b.Fatal(err)
	}
	target := &benchTarget{address: strings.TrimPrefix(n.URL(), "http://"), operator: strings.TrimSpace(string(token)), ws: benchWorkspace()}
	for {
		if err = target.setUp(); err == nil || !strings.Contains(err.Error(), "503") {
			break
		}
		time.Sleep(10 * time.Millisecond) // the models are not there yet
	}
	if err != nil {
		b.Fatal(err)
	}
	return target
}
