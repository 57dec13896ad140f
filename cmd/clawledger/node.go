package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/clawoffice/ledger/commands"
	ledgercrypto "github.com/clawoffice/ledger/crypto"
	ledgerhttp "github.com/clawoffice/ledger/http"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/webhook"
	"github.com/clawoffice/ledger/projections"
)

// node is one server. Make it with newNode, run it with Run, end it with Close.
type node struct {
	config  serveCmd
	program *program
	shared  bool // other replicas write to the log
	fresh   bool // this start made the keys

	listener     net.Listener
	faceListener net.Listener

	log      eventlog.Log
	keys     *ledgercrypto.Dir
	sealed   *sealed
	read     readModels
	indexing *indexing
	models   *projections.Models
	service  *commands.Service
	lease    *commands.Lease
	registry *prometheus.Registry
	server   *ledgerhttp.Server
	face     *esdbface.Face
	pulse    *pulse

	running  sync.WaitGroup     // of what Run started
	halt     context.CancelFunc // ends models and pulse
	undo     []func() error     // what Close does, last first
	closing  sync.Once
	closeErr error
}

// newNode opens everything a server needs. What was opened is closed again if
// something fails.
func newNode(ctx context.Context, c serveCmd, p *program) (_ *node, err error) {
	n := &node{config: c, program: p, shared: c.Eventlog != "", registry: prometheus.NewRegistry(), halt: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	for _, step := range []func(context.Context) error{n.listen, n.openData, n.openKeys, n.readModels, n.decide, n.answer, n.showFace} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// later adds to what Close does.
func (n *node) later(undo func() error) { n.undo = append(n.undo, undo) }

// listen takes the addresses first, so that a start that can't serve changes
// nothing.
func (n *node) listen(ctx context.Context) (err error) {
	c := n.config
	if err := c.check(); err != nil {
		return err
	}
	if n.listener, err = n.listenOn(ctx, c.Listen); err != nil {
		return err
	}
	if !isLoopback(n.listener.Addr()) && c.TLSCert == "" && !c.Insecure {
		return &exit{exitUsage, fmt.Errorf("%s can be reached from other machines: %w", n.listener.Addr(), ledgerhttp.ErrPlainHTTP)}
	}
	if c.EsdbFace == "" {
		return nil
	}
	if n.faceListener, err = n.listenOn(ctx, c.EsdbFace); err != nil {
		return err
	}
	if !isLoopback(n.faceListener.Addr()) && (c.TLSCert == "" || c.EsdbFaceUser == "") {
		return &exit{exitUsage, fmt.Errorf("--esdb-face %s can be reached from other machines: give --tls-cert, --tls-key, --esdb-face-user and --esdb-face-password-file, or listen on 127.0.0.1", c.EsdbFace)}
	}
	return nil
}

func (n *node) listenOn(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	n.later(func() error {
		_ = l.Close() // closed already if it was served
		return nil
	})
	return l, nil
}

// openData locks the data directory and opens the log.
func (n *node) openData(context.Context) error {
	release, err := lockData(n.config.Data)
	if err != nil {
		return err
	}
	n.later(release)
	n.log, err = storage{Data: n.config.Data, Eventlog: n.config.Eventlog}.openWriting(n.program)
	if err != nil {
		return err
	}
	n.later(n.log.Close)
	return nil
}

// openKeys opens the keys, or makes them for a log that has not begun.
func (n *node) openKeys(ctx context.Context) error {
	last, err := newest(ctx, n.log)
	if err != nil {
		return fmt.Errorf("looking whether the log has begun: %w", err)
	}
	path := keysOr(n.config.Keys, n.config.Data)
	n.keys, n.fresh, err = ledgercrypto.OpenDir(path, ledgercrypto.OpenOptions{Create: last == nil, Now: n.program.now})
	if errors.Is(err, ledgercrypto.ErrNoKeys) {
		return fmt.Errorf("%w: the log has records, and was begun with other keys; name their directory with --keys", err)
	}
	if err != nil {
		return err
	}
	if n.sealed, err = seal(n.log, n.keys, n.program.now); err != nil {
		return err
	}
	return n.sealed.begin(ctx, n.program.now())
}

// readModels makes the read side.
func (n *node) readModels(ctx context.Context) (err error) {
	if err := errors.Join(n.registry.Register(collectors.NewGoCollector()),
		n.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	dir := filepath.Join(n.config.Data, "search")
	shelf, done, err := shelfOf(ctx, n.config.Search, dir)
	if err != nil {
		return err
	}
	n.later(done)
	var writes func() bool
	if n.shared && n.config.Search != "" { // all replicas share one index, and one fills it
		writes = func() bool { return n.lease.Held() }
	}
	if n.indexing, err = newIndexing(ctx, shelf, n.sealed, dir, n.program.log, writes); err != nil {
		return err
	}
	n.later(n.indexing.Close)
	n.read = newReadModels(n.sealed.ring, n.indexing.model)
	n.pulse = &pulse{log: n.log, now: n.program.now, logger: n.program.log}
	n.models, err = projections.New(n.sealed.ledger, n.config.Data, projections.Options{Logger: n.program.log, Metrics: n.registry},
		n.read.all()...)
	if err != nil {
		return err
	}
	n.later(n.models.Close)
	return nil
}

// decide makes the write side.
func (n *node) decide(context.Context) error {
	cache, err := n.sealed.snapshots(filepath.Join(n.config.Data, "cache"))
	if err != nil {
		return err
	}
	allow, err := n.config.allowed()
	if err != nil {
		return err
	}
	n.service = commands.New(commands.Config{Log: n.sealed.ledger, Secret: n.keys.Secret(), Permits: &permits{keys: n.keys},
		Access: rights{n.read.access}, Keys: n.sealed.ring, Places: places{n.read.directory}, Cache: cache, Shared: n.shared, Now: n.program.now, Logger: n.program.log,
		Receivers: n.read.process, Sender: webhook.New(webhook.Options{Allow: allow})})
	n.lease = n.service.NewLease(n.shared)
	n.indexing.retention = retentions(n.service, n.read.access)
	n.later(func() error {
		n.halt() // models stop when no call can need them any more
		n.running.Wait()
		return nil
	})
	n.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), n.config.DrainTime)
		defer cancel()
		return n.service.Close(ctx) // records denials that were summed up
	})
	return nil
}

// Run serves until ctx ends or a part fails for good. Close must follow.
func (n *node) Run(ctx context.Context) error {
	background, halt := context.WithCancel(context.WithoutCancel(ctx))
	n.halt = halt
	failed := make(chan error, 3)
	n.running.Go(func() { n.pulse.run(background) })
	n.running.Go(func() { n.renewKeys(background) })
	n.running.Go(func() { failed <- n.models.Run(background) })
	n.running.Go(func() { n.lease.Run(background) })
	n.running.Go(func() { n.chores().run(background) })
	n.running.Go(func() { n.indexing.retain(background) })
	n.running.Go(func() { n.indexing.hear(background) })
	n.running.Go(func() { failed <- n.server.Serve(n.listener) })
	if n.face != nil {
		n.running.Go(func() { failed <- n.face.Serve(n.faceListener) })
	}
	n.program.log.Info("serving", "url", n.URL(), "shared_log", n.shared)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		n.program.log.Info("stopping; calls under way are answered first")
		return nil
	}
}

// Close ends the server, in an order that loses nothing: no new calls, calls
// under way answered, what is summed up recorded, models saved, the log closed.
func (n *node) Close() error {
	n.closing.Do(func() {
		for i := len(n.undo) - 1; i >= 0; i-- {
			n.closeErr = errors.Join(n.closeErr, n.undo[i]())
		}
	})
	return n.closeErr
}

// keyPause is how often keys are read again, for rotations elsewhere.
const keyPause = 10 * time.Second

func (n *node) renewKeys(ctx context.Context) {
	tick := time.NewTicker(keyPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.reloadKeys()
		}
	}
}

// reloadKeys reads the keys again; on an error those of before stay in use.
func (n *node) reloadKeys() {
	before := n.keys.Signer().KeyID()
	if err := n.keys.Reload(); err != nil {
		n.program.log.Error("keys can't be read again; those of before stay in use", "error", err)
		return
	}
	if now := n.keys.Signer().KeyID(); now != before {
		n.program.log.Info("signing with another key now", "key", now)
	}
}
