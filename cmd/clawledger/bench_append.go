package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/load"
)

// measureAppend measures the ledger alone: sealed, signed, durable records,
// each on a stream of its own; and beside it, in the same run, what the cores
// can sign at all.
func (b benchCmd) measureAppend(p *program, plan load.Plan) (benchScenario, error) {
	dir, err := os.MkdirTemp("", "clawledger-bench-")
	if err != nil {
		return benchScenario{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	keys, _, err := ledgercrypto.OpenDir(filepath.Join(dir, "keys"), ledgercrypto.OpenOptions{Create: true})
	if err != nil {
		return benchScenario{}, err
	}
	log, err := sqlite.Open(p.ctx, dir, sqlite.Options{Logger: p.log})
	if err != nil {
		return benchScenario{}, err
	}
	defer func() { _ = log.Close() }()
	l, err := seal(log, keys, p.now)
	if err != nil {
		return benchScenario{}, err
	}
	signing := signingRate(2 * time.Second)
	var streams atomic.Int64
	r, err := load.Run(p.ctx, plan, func(int) (load.Worker, error) {
		return &benchAppend{ledger: l.ledger, keys: keys, streams: &streams}, nil
	})
	again := signingRate(2 * time.Second) // before and after, because a shared machine changes its pace
	signing = (signing + again) / 2
	s := scenarioOf("append", r, float64(r.Mallocs))
	ratio := s.PerSecond / signing
	s.Signing, s.Ratio = &signing, &ratio
	return s, err
}

// signingRate is how often all cores together sign a record's length of bytes
// in a second.
func signingRate(d time.Duration) float64 {
	_, key, _ := ed25519.GenerateKey(rand.Reader) // never fails
	message := make([]byte, 700)
	var count atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			n := 0
			for ; time.Since(start) < d; n++ {
				ed25519.Sign(key, message)
			}
			count.Add(int64(n))
		})
	}
	wg.Wait()
	return float64(count.Load()) / time.Since(start).Seconds()
}

// benchAppend appends a record of the size of an execution's first to a stream
// of its own.
type benchAppend struct {
	ledger  *ledger.Ledger
	keys    *ledgercrypto.Dir
	streams *atomic.Int64
	payload []byte
}

func (w *benchAppend) Prepare(int) error {
	w.payload = []byte(`{"mac":"AAAAAAAAAAAAAAAAAAAAAA","event":{"note":"` + strings.Repeat("a", 700) + `"}}`)
	return nil
}

func (w *benchAppend) Do() error {
	n := w.streams.Add(1)
	cause := domain.CommandID(fmt.Sprintf("%032x", n))
	_, err := w.ledger.Append(context.Background(), fmt.Sprintf("bench/execution-ex_%026d", n), ledger.NoTail(), []ledger.Draft{{
		ID: w.keys.Secret().EventID(cause, 0), Type: "execution.requested.v1", Payload: w.payload, Time: time.Now(),
		Actor: domain.AgentActor("ag_aaaaaaaaaaaaaaaaaaaaaaaaaa"), Credential: "tk_aaaaaaaaaaaaaaaaaaaaaaaaaa", Cause: cause}})
	return err
}

func (w *benchAppend) Close() error { return nil }
