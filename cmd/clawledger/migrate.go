package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

type migrateCmd struct {
	From string `help:"Data directory of the embedded log. Its server must be stopped." placeholder:"DIR" required:"" type:"existingdir" group:"storage"`
	To   string `help:"Connection string of EventStoreDB." placeholder:"esdb://…" required:"" group:"storage"`
	Keys string `help:"Key directory, to check signatures at the end. Default: FROM/keys." placeholder:"DIR" type:"path" group:"storage"`
	JSON bool   `name:"json" help:"Answer JSON."`
}

func (*migrateCmd) Help() string {
	return `The records' bytes stay the same, and so does their order within each workspace; positions in the whole log are EventStoreDB's. A migration that broke off goes on where it was when it is run again. At the end both logs are compared, and the new one is verified. The old log is only read.

Afterwards start serve with the same --keys and --eventlog.

Example:
  clawledger migrate --from ledger-data --to esdb://admin:changeit@db.example:2113`
}

// migrated is what migrate answers.
type migrated struct {
	Records int64   `json:"records"`
	Copied  int64   `json:"copied"` // by this run
	Erased  int     `json:"erased"` // keys that were destroyed, and are there too
	Seconds float64 `json:"seconds"`
}

func (c *migrateCmd) Run(p *program) (err error) {
	from, err := sqlite.Open(p.ctx, c.From, sqlite.Options{Logger: p.log}) // for writing, so that no server does
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	keys, err := trusting("", keysOr(c.Keys, c.From))
	if err != nil {
		return err
	}
	to, err := openEventStoreDB(p, c.To)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	start := time.Now()
	out, err := c.move(p, from, to)
	if err != nil {
		return fmt.Errorf("migrating to %s: %w", withoutSecrets(c.To), err)
	}
	v, err := verifyLog(p, to, keys, "")
	if err != nil {
		return fmt.Errorf("verifying %s: %w", withoutSecrets(c.To), err)
	}
	out.Seconds = time.Since(start).Seconds()
	return c.report(p, out, v)
}

// move copies what is not there yet, and compares the logs.
func (c *migrateCmd) move(p *program, from, to eventlog.Log) (migrated, error) {
	m := &migration{from: from, to: to}
	end, err := newest(p.ctx, from)
	if err != nil || end == nil {
		return migrated{}, err
	}
	there, err := tally(p.ctx, to, nil)
	if err != nil {
		return migrated{}, fmt.Errorf("looking what is there already: %w", err)
	}
	m.there = there
	progress := newBar(p.err, "migrating", int64(end.Position))
	err = m.copy(p.ctx, func(at eventlog.Position) { progress.at(int64(at)) })
	progress.done()
	if err != nil {
		return migrated{}, err
	}
	if err := m.erase(p.ctx); err != nil {
		return migrated{}, err
	}
	now, err := tally(p.ctx, to, nil)
	if err != nil {
		return migrated{}, fmt.Errorf("comparing the logs: %w", err)
	}
	return migrated{Records: m.done.records(), Copied: m.done.records() - there.records(), Erased: m.erased}, m.done.same(now)
}

func (c *migrateCmd) report(p *program, out migrated, v *verdict) error {
	if !v.good() {
		v.show(p, keysOr(c.Keys, c.From))
		return &exit{exitFailed, errors.New("the log holds bad records; they were copied as they are")}
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(out)
	}
	p.answer("%d records are in %s, byte for byte the same and verified; %d of them were copied now, in %.0f s", out.Records, withoutSecrets(c.To), out.Copied, out.Seconds)
	p.answer("Next: clawledger serve --data %s-replica --keys %s --eventlog %s", c.From, keysOr(c.Keys, c.From), withoutSecrets(c.To))
	return nil
}
