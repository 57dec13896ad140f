package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/search/index"
)

type rebuildCmd struct {
	Models   []string `arg:"" optional:"" name:"model" help:"Models to make again: access, approvals, directory, process, search, spending. Default: all."`
	Data     string   `help:"Data directory of the stopped server, where the models are." placeholder:"DIR" required:"" type:"existingdir" group:"storage"`
	Keys     string   `help:"Key directory. Default: DATA/keys." placeholder:"DIR" type:"path" group:"storage"`
	Eventlog string   `help:"Connection string of EventStoreDB, if the log is there." placeholder:"esdb://…" group:"storage"`
	Search   string   `help:"Connection string of ClickHouse, if the search index is there." placeholder:"clickhouse://…" group:"storage"`
	JSON     bool     `name:"json" help:"Answer JSON."`
}

func (*rebuildCmd) Help() string {
	return `Read models are only a faster form of the log. A server makes a damaged one again by itself; this is for doing so beforehand. The server must be stopped.

Example:
  clawledger rebuild --data ledger-data directory`
}

func (c *rebuildCmd) Run(p *program) (err error) {
	release, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	log, err := storage{Data: c.Data, Eventlog: c.Eventlog}.openWriting(p) // models may need new data keys to be sealed under
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	keys, _, err := ledgercrypto.OpenDir(keysOr(c.Keys, c.Data), ledgercrypto.OpenOptions{})
	if err != nil {
		return err
	}
	s, err := seal(log, keys, p.now)
	if err == nil {
		err = s.holds(p.ctx)
	}
	if err != nil {
		return fmt.Errorf("these keys do not open this log: %w", err)
	}
	return c.rebuild(p, s)
}

func (c *rebuildCmd) rebuild(p *program, s *sealed) (err error) {
	dir := filepath.Join(c.Data, "search")
	shelf, done, err := shelfOf(p.ctx, c.Search, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if len(c.Models) == 0 || slices.Contains(c.Models, index.Name) {
		if err := anew(p.ctx, shelf); err != nil {
			return err
		}
	}
	x, err := newIndexing(p.ctx, shelf, s, dir, p.log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	models, err := projections.New(s.ledger, c.Data, projections.Options{Logger: p.log}, newReadModels(s.ring, x.model).all()...)
	if err != nil {
		return err
	}
	start, at := time.Now(), map[string]eventlog.Position{}
	progress := newBar(p.err, "rebuilding", 1000)
	err = models.Rebuild(p.ctx, c.Models, func(name string, now, end eventlog.Position) {
		at[name] = now
		slowest := end
		for _, n := range at {
			slowest = min(slowest, n)
		}
		progress.at(int64(slowest) * 1000 / max(int64(end), 1))
	})
	progress.done()
	if err != nil {
		return fmt.Errorf("rebuilding: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"models": at, "seconds": time.Since(start).Seconds()})
	}
	for name, to := range at {
		p.answer("%s: rebuilt up to position %d", name, to)
	}
	p.answer("in %.1f s", time.Since(start).Seconds())
	return nil
}
