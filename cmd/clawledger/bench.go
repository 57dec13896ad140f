package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/internal/load"
)

// benchCmd measures a server under load.
type benchCmd struct {
	Scenario    []string      `help:"What to measure: ${enum}." enum:"create,complete,prompts,hot-stream,append,lag" default:"create,complete,prompts,hot-stream,append,lag"`
	Connections int           `help:"Connections, each with one request under way." default:"128"`
	Duration    time.Duration `help:"How long to measure each scenario." default:"10s"`
	Count       int64         `help:"Measure so many operations of each scenario instead, as for the memory after a million." placeholder:"N"`
	Rate        float64       `help:"Events a second that the scenario lag writes." default:"3000"`
	URL         string        `help:"Load this running server instead of one of the bench's own. It must be on this machine's loopback addresses." placeholder:"URL"`
	TokenFile   string        `help:"File with the operator token of the server at --url." placeholder:"FILE" type:"path"`
	Eventlog    string        `help:"Connection string of EventStoreDB for the bench's own server." placeholder:"esdb://…"`
	JSON        bool          `name:"json" help:"Answer as JSON."`
}

// benchReport is what the bench answers. Times are milliseconds.
type benchReport struct {
	Machine   benchMachine    `json:"machine"`
	Scenarios []benchScenario `json:"scenarios"`
	RSS       int64           `json:"rss_bytes"` // of the server, at the end
}

type benchMachine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Cores int    `json:"cores"`
	CPU   string `json:"cpu"`
	Go    string `json:"go"`
}

type benchScenario struct {
	Name        string   `json:"name"`
	PerSecond   float64  `json:"per_second"`
	P50         float64  `json:"p50_ms"`
	P95         float64  `json:"p95_ms"`
	P99         float64  `json:"p99_ms"`
	Operations  int64    `json:"operations"`
	Errors      int64    `json:"errors"`
	FirstError  string   `json:"first_error,omitempty"`
	AllocsPerOp float64  `json:"allocs_per_op"`
	Signing     *float64 `json:"signing_per_second,omitempty"` // raw Ed25519 on the same cores
	Ratio       *float64 `json:"ratio_to_signing,omitempty"`

	EventsPerSecond float64    `json:"events_per_second,omitempty"` // written in the scenario lag
	Lag             []benchLag `json:"lag,omitempty"`
}

// Help says what the scenarios are.
func (benchCmd) Help() string {
	return `create: POST an execution, authorized with its permit (a record and two signatures), each on a stream of its own.
complete: POST the end of an execution that was started before (one record).
prompts: reserve in five budgets of one spending book and record a prompt.
hot-stream: further actions of one execution, from all connections.
append: the ledger alone, in this process, against raw Ed25519 signing in the same run.
lag: executions from request to end, prompts and approvals among them, at --rate events a second, however long answers take; and how long after the answer to a write each read model stood for it, though nobody waited. Server and load are this process, which looks at the models every millisecond. Latencies count from the moment when a call was due.

Everything is durable, signed and encrypted. The load comes from this machine, so it takes a part of the cores.`
}

// Run measures and reports.
func (b benchCmd) Run(p *program) error {
	report := benchReport{Machine: thisMachine()}
	var server *benchServer
	if slices.ContainsFunc(b.Scenario, func(name string) bool { return name != "append" && name != "lag" }) {
		var err error
		if server, err = b.server(p); err != nil {
			return &exit{exitUsage, err}
		}
		defer server.stop()
		if err := server.target.setUp(); err != nil {
			return fmt.Errorf("setting up the bench's workspace: %w", err)
		}
	}
	for _, name := range b.Scenario {
		p.say("bench: %s …", name)
		s, err := b.measure(p, server, name)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", name, err)
		}
		report.Scenarios = append(report.Scenarios, s)
		if !b.JSON {
			s.show(p)
		}
	}
	if server != nil {
		report.RSS = int64(server.metric("process_resident_memory_bytes"))
	}
	if b.JSON {
		return json.NewEncoder(p.out).Encode(report)
	}
	p.answer("\nserver memory at the end: %d MiB\nmachine: %d cores, %s, %s/%s, %s", report.RSS>>20, report.Machine.Cores,
		report.Machine.CPU, report.Machine.OS, report.Machine.Arch, report.Machine.Go)
	return nil
}

func (s benchScenario) show(p *program) {
	p.answer("%-11s %8.0f /s   p50 %6.2f ms   p95 %6.2f ms   p99 %6.2f ms   %6.0f allocs   %d errors", s.Name, s.PerSecond, s.P50, s.P95, s.P99, s.AllocsPerOp, s.Errors)
	for _, l := range s.Lag {
		p.answer("            %-10s behind by p50 %6.2f ms   p95 %6.2f ms   p99 %6.2f ms   at most %6.2f ms", l.Projection, l.P50, l.P95, l.P99, l.Max)
	}
	if s.EventsPerSecond > 0 {
		p.answer("            at %.0f events/s; raw signing %.0f /s", s.EventsPerSecond, *s.Signing)
	}
	if s.Ratio != nil {
		p.answer("            raw signing %.0f /s, ratio %.2f", *s.Signing, *s.Ratio)
	}
	if s.FirstError != "" {
		p.answer("            first error: %s", s.FirstError)
	}
}

// measure runs one scenario.
func (b benchCmd) measure(p *program, server *benchServer, name string) (benchScenario, error) {
	plan := load.Plan{Workers: b.Connections, Duration: b.Duration, Count: b.Count}
	switch name {
	case "append":
		return b.measureAppend(p, plan)
	case "lag":
		return b.measureLag(p)
	}
	open, err := server.target.workers(name)
	if err != nil {
		return benchScenario{}, err
	}
	if name == "complete" {
		plan.Phase = 64
	}
	before := server.metric("go_memstats_mallocs_total")
	r, err := load.Run(p.ctx, plan, open)
	allocs := server.metric("go_memstats_mallocs_total") - before
	if plan.Phase > 0 { // preparing an execution takes two calls of its own
		allocs /= 3
	}
	return scenarioOf(name, r, allocs), err
}

func scenarioOf(name string, r load.Result, mallocs float64) benchScenario {
	ms := func(q float64) float64 { return float64(r.Latency.ValueAtQuantile(q)) / 1000 }
	s := benchScenario{Name: name, PerSecond: r.PerSecond(), P50: ms(50), P95: ms(95), P99: ms(99), Operations: r.Operations, Errors: r.Errors}
	if r.FirstError != nil {
		s.FirstError = r.FirstError.Error()
	}
	if r.Operations > 0 {
		s.AllocsPerOp = mallocs / float64(r.Operations)
	}
	return s
}

// workers answers how the scenario's connections are made.
func (t *benchTarget) workers(name string) (func(int) (load.Worker, error), error) {
	var shared atomic.Pointer[string]
	if name == "hot-stream" {
		w, err := newBenchWorker(t)
		if err != nil {
			return nil, err
		}
		path, err := w.begin()
		if err != nil {
			return nil, err
		}
		shared.Store(&path)
		if err := w.Close(); err != nil {
			return nil, err
		}
	}
	return func(int) (load.Worker, error) {
		w, err := newBenchWorker(t)
		switch name {
		case "create":
			return &benchCreate{benchWorker: w}, err
		case "complete":
			return &benchComplete{benchWorker: w}, err
		case "prompts":
			return &benchPrompts{benchWorker: w}, err
		}
		return &benchHot{benchWorker: w, shared: &shared}, err
	}, nil
}

// thisMachine says where figures were measured.
func thisMachine() benchMachine {
	return benchMachine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0), CPU: cpuName(), Go: runtime.Version()}
}

// loopback answers host:port of a URL that the bench may load.
func loopback(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return "", fmt.Errorf("--url must look like http://127.0.0.1:8080")
	}
	if host := u.Hostname(); host != "localhost" && host != "::1" && !strings.HasPrefix(host, "127.") {
		return "", fmt.Errorf("--url names %s; the bench loads loopback addresses only", host)
	}
	return u.Host, nil
}

// benchWorkspace is a workspace id that no other run has.
func benchWorkspace() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return "bench-" + hex.EncodeToString(b[:])
}
