package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type serveCmd struct {
	Data     string `help:"Directory for the log, read models and caches." default:"clawledger-data" placeholder:"DIR" type:"path" group:"storage"`
	Keys     string `help:"Key directory, shared by all replicas. Default: DATA/keys." placeholder:"DIR" type:"path" group:"storage"`
	Eventlog string `help:"Keep the log in EventStoreDB, by this connection string, instead of in DATA." placeholder:"esdb://…" group:"storage"`

	Search string `help:"Keep the search index in ClickHouse, by this connection string, instead of in DATA." placeholder:"clickhouse://…" group:"storage"`

	Listen   string `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"ADDR" group:"network"`
	TLSCert  string `name:"tls-cert" help:"PEM certificate. It is read again when it changes." placeholder:"FILE" type:"path" group:"network"`
	TLSKey   string `name:"tls-key" help:"Its PEM private key." placeholder:"FILE" type:"path" group:"network"`
	Insecure bool   `help:"Serve plain HTTP to other machines, behind a proxy that does TLS." group:"network"`

	EsdbFace         string `help:"Also serve the log to EventStoreDB clients, read-only, on this address." placeholder:"ADDR" group:"network"`
	EsdbFaceUser     string `help:"User that EventStoreDB clients must name. Needed beyond this machine." placeholder:"NAME" group:"network"`
	EsdbFacePassword string `name:"esdb-face-password-file" help:"File with that user's password." placeholder:"FILE" type:"path" group:"network"`

	WebhookAllow []string `help:"Address ranges that webhooks may be sent to although they are not public, such as 10.1.0.0/16. To allowed loopback addresses plain HTTP may be sent." placeholder:"CIDR,…" group:"network"`

	DrainTime    time.Duration `help:"How long a stop waits for calls under way." default:"30s" group:"network"`
	OTLPEndpoint string        `name:"otlp-endpoint" help:"Send OpenTelemetry traces to this URL, such as http://127.0.0.1:4318." placeholder:"URL" group:"telemetry"`
}

func (*serveCmd) Help() string {
	return `The first start makes the keys and the operator token, and prints where they are. The token makes workspaces; see /docs on the server.

One signal (SIGINT, SIGTERM) stops it after answering what is under way; a second one ends it at once. SIGHUP reads the keys again, which also happens every 10 s.

Examples:
  clawledger serve --data ledger-data
  CLAWLEDGER_EVENTLOG=esdb://user:password@db.example:2113 clawledger serve --data replica-1 --keys /shared/keys --listen :8443 --tls-cert tls.crt --tls-key tls.key

A password belongs in the environment or in the --config file, not on the command line, where every user of the machine can read it.`
}

func (c *serveCmd) Run(p *program) (err error) {
	n, err := newNode(p.ctx, *c, p)
	if err != nil {
		return err
	}
	c.greet(p, n)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		for {
			select {
			case <-hup:
				n.reloadKeys()
			case <-stopped:
				return
			}
		}
	}()
	return errors.Join(n.Run(p.ctx), n.Close())
}

// greet says where everything is. The operator token is shown on the first
// start only.
func (c *serveCmd) greet(p *program, n *node) {
	p.answer("ClawOffice ledger at %s", n.URL())
	if n.fresh {
		token, err := os.ReadFile(filepath.Join(n.keys.Path(), "operator.token"))
		if err != nil {
			p.say("the operator token can't be shown: %v", err)
		}
		p.answer("Keys were made in %s. Keep a copy of that directory in a safe place: without it the log can't be read.", n.keys.Path())
		p.answer("Operator token, in %s and shown this once: %s", filepath.Join(n.keys.Path(), "operator.token"), token[:max(0, len(token)-1)])
	}
	p.answer("Console: %s/console/", n.URL())
	p.answer("Docs: %s/docs   Health: %s/readyz   Stop: Ctrl-C", n.URL(), n.URL())
	if n.face != nil {
		p.answer("EventStoreDB clients read at %s", n.faceAddr())
	}
}

// needBoth refuses a pair of flags of which only one was given.
func needBoth(a, b, x, y string) error {
	if (x == "") != (y == "") {
		return &exit{exitUsage, fmt.Errorf("%s and %s belong together; give both or neither", a, b)}
	}
	return nil
}

// allowed reads --webhook-allow.
func (c *serveCmd) allowed() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range c.WebhookAllow {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil || p != p.Masked() {
			return nil, &exit{exitUsage, fmt.Errorf("--webhook-allow %s is no address range; write one such as 10.1.0.0/16 or fd00:1::/32", text)}
		}
		list = append(list, p)
	}
	return list, nil
}

// check refuses flags that don't fit together.
func (c *serveCmd) check() error {
	_, err := c.allowed()
	return errors.Join(err, needBoth("--tls-cert", "--tls-key", c.TLSCert, c.TLSKey),
		needBoth("--esdb-face-user", "--esdb-face-password-file", c.EsdbFaceUser, c.EsdbFacePassword))
}
