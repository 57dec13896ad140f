package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// pulse watches the log from outside the models: that it can be read, and that
// this machine's clock agrees with the one that stamps its records.
type pulse struct {
	log    eventlog.Log
	now    func() time.Time
	logger *slog.Logger

	mu     sync.Mutex
	seen   bool
	last   eventlog.Position
	looked time.Time
	failed string // why the log can't be read, "" if it can
	skewed string // what is wrong with the clock, "" if nothing
}

// pulseEvery is how often the log is looked at.
const pulseEvery = 2 * time.Second

func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		p.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads the newest record. One that is stamped later than now shows that
// this clock is slow; one that came since the last look and is stamped before
// it shows that this clock is fast.
func (p *pulse) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	before := p.now()
	r, err := newest(ctx, p.log)
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.failed == "" {
			p.logger.Error("the log can't be read", "error", err)
		}
		p.failed = "the log can't be read; see this replica's log"
		return
	}
	if p.failed != "" {
		p.logger.Info("the log can be read again")
	}
	p.failed = ""
	if r != nil {
		p.compare(r, now)
		p.last = r.Position
	}
	p.seen, p.looked = true, before
}

// compare is called with mu held.
func (p *pulse) compare(r *eventlog.Recorded, now time.Time) {
	skewed := p.skewed
	switch {
	case r.Created.After(now.Add(clockSlip)):
		skewed = fmt.Sprintf("this machine's clock is %s behind the log's; set it with NTP", r.Created.Sub(now).Round(time.Second))
	case p.seen && r.Position > p.last && r.Created.Before(p.looked.Add(-clockSlip)):
		skewed = fmt.Sprintf("this machine's clock is %s ahead of the log's; set it with NTP", p.looked.Sub(r.Created).Round(time.Second))
	case p.seen && r.Position > p.last:
		skewed = ""
	}
	if skewed != p.skewed && skewed != "" {
		p.logger.Error("clock is wrong", "problem", skewed)
	}
	p.skewed = skewed
}

// state answers what is wrong with the log and with the clock, "" for nothing.
func (p *pulse) state() (log, clock string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.seen && p.failed == "" {
		return "the log was not read yet", p.skewed
	}
	return p.failed, p.skewed
}
