package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

type faceCmd struct {
	Data   string `help:"Directory of the SQLite log. It is made if it is not there." placeholder:"DIR" required:"" type:"path" group:"storage"`
	Listen string `help:"Address to listen on, of this machine only." default:"127.0.0.1:2113" placeholder:"ADDR" group:"network"`
}

func (*faceCmd) Help() string {
	return `Any EventStoreDB client can then append, read and subscribe. There is no TLS and no password, so it is for tests and trials on one machine.

Example:
  clawledger face --data face-data --listen 127.0.0.1:2113
  clawledger serve --data replica-1 --eventlog "esdb://127.0.0.1:2113?tls=false"`
}

func (c *faceCmd) Run(p *program) (err error) {
	log, err := sqlite.Open(p.ctx, c.Data, sqlite.Options{Logger: p.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	listener, err := listenLocally(p.ctx, c.Listen)
	if err != nil {
		return err
	}
	face := esdbface.New(log, esdbface.Options{Logger: p.log})
	p.answer("EventStoreDB face: esdb://%s?tls=false", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- face.Serve(listener) }()
	select {
	case err = <-served:
		return err
	case <-p.ctx.Done():
	}
	face.Stop() // before the log is closed
	return <-served
}

// listenLocally listens on an address that other machines can't reach.
func listenLocally(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	if !isLoopback(listener.Addr()) {
		return nil, errors.Join(&exit{exitUsage, fmt.Errorf("%s can be reached from other machines, and this has no protection; listen on 127.0.0.1", address)}, listener.Close())
	}
	return listener, nil
}

// isLoopback reports whether an address can be reached from this machine only.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
