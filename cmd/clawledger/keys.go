package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List signing keys and the key-encryption key."`
	Rotate keysRotateCmd `cmd:"" help:"Make a new signing key. Servers take it into use within 10 s, or at once on SIGHUP."`
}

// keyDir is the flags by which a key directory is found.
type keyDir struct {
	Data string `help:"Data directory, whose keys are in DATA/keys." placeholder:"DIR" type:"path" group:"storage"`
	Keys string `help:"Key directory." placeholder:"DIR" type:"path" group:"storage"`
}

func (k keyDir) open() (*ledgercrypto.Dir, error) {
	path := keysOr(k.Keys, k.Data)
	if path == "" {
		return nil, &exit{exitUsage, fmt.Errorf("say where the keys are: --keys DIR, or --data DIR for those in DIR/keys")}
	}
	dir, _, err := ledgercrypto.OpenDir(path, ledgercrypto.OpenOptions{})
	return dir, err
}

type keysListCmd struct {
	keyDir `embed:""`
	JSON   bool `name:"json" help:"Answer JSON."`
}

// keyShown is a key in a list. No part of it is secret.
type keyShown struct {
	Use     string     `json:"use"`
	ID      string     `json:"id"`
	Active  bool       `json:"active"`
	Created *time.Time `json:"created,omitempty"`
	Retired *time.Time `json:"retired,omitempty"`
}

func (c *keysListCmd) Run(p *program) error {
	dir, err := c.open()
	if err != nil {
		return err
	}
	var list []keyShown
	for _, k := range dir.Keys() {
		list = append(list, keyShown{k.Use, k.ID, k.Active, given(k.Created), given(k.Retired)})
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"keys": list})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "USE\tID\tSTATE\tCREATED\tRETIRED")
	for _, k := range list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Use, k.ID, map[bool]string{true: "active", false: "retired"}[k.Active], shown(k.Created), shown(k.Retired))
	}
	return w.Flush()
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func shown(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

type keysRotateCmd struct {
	keyDir `embed:""`
	JSON   bool `name:"json" help:"Answer JSON."`
}

func (*keysRotateCmd) Help() string {
	return `The old key is retired: it signs nothing more, and keeps verifying what it signed. It stays in /.well-known/jwks.json, from which verifiers should keep a fresh copy now.`
}

func (c *keysRotateCmd) Run(p *program) error {
	dir, err := c.open()
	if err != nil {
		return err
	}
	kid, err := dir.RotateSigning(p.now())
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(map[string]string{"id": kid})
	}
	p.answer("new signing key %s in %s", kid, dir.Path())
	p.answer("Running servers use it within 10 s. Verifiers with a pinned JWKS need the new one, from /.well-known/jwks.json.")
	return nil
}
