package main

import (
	"context"
	"net/http"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	ledgerhttp "github.com/clawoffice/ledger/http"
	"github.com/clawoffice/ledger/http/console"
)

// answer makes the HTTP side.
func (n *node) answer(ctx context.Context) error {
	tracer, err := n.tracer(ctx)
	if err != nil {
		return err
	}
	c := n.config
	pages, err := console.New(console.Config{Key: n.keys.Secret().ConsoleKey(), Secure: c.TLSCert != "" || c.Insecure, Now: n.program.now, Logger: n.program.log,
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.server.ServeHTTP(w, r) })})
	if err != nil {
		return err
	}
	n.server, err = ledgerhttp.New(ledgerhttp.Config{Service: n.service, Models: n.models, Access: n.read.access, Directory: n.read.directory,
		Approvals: n.read.approvals, Spending: n.read.spending, Index: n.read.index, Indexing: n.indexing,
		TokenHash: ledgercrypto.TokenHash, Operator: n.keys.VerifyOperatorToken, Keys: n.keys.JWKS, Shared: n.shared, Now: n.program.now,
		Options: ledgerhttp.Options{Parts: n.parts, Pages: map[string]http.Handler{"/console/": pages}, CertFile: c.TLSCert, KeyFile: c.TLSKey, Insecure: c.Insecure,
			Registry: n.registry, Tracer: tracer, Logger: n.program.log}})
	if err != nil {
		return err
	}
	n.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), c.DrainTime)
		defer cancel()
		return n.server.Shutdown(ctx)
	})
	return nil
}
