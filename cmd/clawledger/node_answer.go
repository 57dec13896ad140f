package main

import (
	"context"
	"strings"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	ledgerhttp "github.com/clawoffice/ledger/http"
)

// answer makes the HTTP side.
func (n *node) answer(ctx context.Context) error {
	tracer, err := n.tracer(ctx)
	if err != nil {
		return err
	}
	c := n.config
	n.server, err = ledgerhttp.New(ledgerhttp.Config{Service: n.service, Models: n.models, Access: n.access, Directory: n.lists,
		TokenHash: tokenHash, Operator: n.keys.VerifyOperatorToken, Keys: n.keys.JWKS, Shared: n.shared, Now: n.program.now,
		Options: ledgerhttp.Options{Parts: n.parts, CertFile: c.TLSCert, KeyFile: c.TLSKey, Insecure: c.Insecure,
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

// tokenHash answers the hash that a credential is known by. An operator token
// has a form of its own, and is nobody's credential.
func tokenHash(token string) (domain.Digest, bool) {
	if strings.HasPrefix(token, "clwop_") {
		return ledgercrypto.Digest([]byte(token)), true
	}
	return ledgercrypto.TokenHash(token)
}
