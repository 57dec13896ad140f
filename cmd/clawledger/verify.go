package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
)

type verifyCmd struct {
	storage   `embed:""`
	JWKS      string `name:"jwks" help:"Trust the public keys in this file, kept from an earlier /.well-known/jwks.json. Without it the keys beside the log are trusted." placeholder:"FILE" type:"path"`
	Keys      string `help:"Key directory to take public keys from, if there is no --jwks. Default: DATA/keys." placeholder:"DIR" type:"path"`
	Workspace string `help:"Check the records of this workspace only." placeholder:"ID"`
	JSON      bool   `name:"json" help:"Answer JSON: records, bad[], seconds, pinned."`
}

func (*verifyCmd) Help() string {
	return `Reads the log beside a running server and changes nothing. Exit code 0: all good; 1: a bad record, of which the first is named; 2: it could not run.

What signatures and chains alone can't show: a suffix that was cut off, a whole stream that is missing, a log that was put back to an earlier state as a whole.

Example:
  clawledger verify --data ledger-data --jwks jwks-of-january.json`
}

// verdict is what verify answers.
type verdict struct {
	Records   int64               `json:"records"`
	Bad       []*ledger.BadRecord `json:"bad"`
	Seconds   float64             `json:"seconds"`
	Pinned    bool                `json:"pinned"`
	Workspace string              `json:"workspace,omitempty"`
	Head      eventlog.Position   `json:"head"`
	Damage    string              `json:"damage,omitempty"` // the log could not be read to its end
}

func (v *verdict) good() bool { return len(v.Bad) == 0 && v.Damage == "" }

func (c *verifyCmd) Run(p *program) error {
	v, from, err := c.verify(p)
	switch {
	case err != nil:
		return &exit{exitUsage, fmt.Errorf("verification could not run: %w", err)}
	case c.JSON:
		err = json.NewEncoder(p.out).Encode(v)
	default:
		v.show(p, from)
	}
	if err == nil && !v.good() {
		return &exit{code: exitFailed}
	}
	return err
}

// verify checks the log, and names what it trusted.
func (c *verifyCmd) verify(p *program) (*verdict, string, error) {
	if c.Workspace != "" && !domain.ValidWorkspaceID(c.Workspace) && c.Workspace != string(domain.System) {
		return nil, "", fmt.Errorf("%q is not the id of a workspace", c.Workspace)
	}
	keys, err := trusting(c.JWKS, keysOr(c.Keys, c.Data))
	if err != nil {
		return nil, "", err
	}
	var rotten []*ledger.BadRecord
	log, err := c.open(p, func(r eventlog.Recorded) {
		rotten = append(rotten, &ledger.BadRecord{Stream: r.Stream, Revision: r.Revision, Position: r.Position, Problem: "its row does not match its checksum"})
	})
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = log.Close() }() // it was only read
	v, err := verifyLog(p, log, keys, domain.WorkspaceID(c.Workspace))
	if err == nil {
		v.add(rotten)
	}
	return v, keys.from, err
}

// open opens the log. An embedded one hands out rotten rows too, after telling
// of them, so that they can be named.
func (c *verifyCmd) open(p *program, rotten func(eventlog.Recorded)) (eventlog.Log, error) {
	if c.Eventlog == "" && c.Data != "" {
		return sqlite.OpenToVerify(p.ctx, c.Data, rotten)
	}
	return c.openReading(p)
}

// verifyLog checks a log with a progress bar.
func verifyLog(p *program, log eventlog.Log, keys *trust, ws domain.WorkspaceID) (*verdict, error) {
	end := eventlog.Position(0)
	for last, err := range log.Read(p.ctx, eventlog.Query{Backwards: true, Limit: 1}) {
		if err == nil {
			end = last.Position // else the read below says what is wrong
		}
	}
	progress := newBar(p.err, "verifying", int64(end))
	start := time.Now()
	report, err := ledger.Verify(p.ctx, log, keys, ws, func(_ int64, at eventlog.Position) { progress.at(int64(min(at, end))) })
	progress.done()
	v := &verdict{Records: report.Records, Bad: append([]*ledger.BadRecord{}, report.Bad...), Seconds: time.Since(start).Seconds(),
		Pinned: keys.pinned, Workspace: string(ws), Head: report.Head}
	if errors.Is(err, eventlog.ErrDamaged) {
		v.Damage, err = fmt.Sprintf("after position %d the log can't be read: %v", report.Head, err), nil
	}
	return v, err
}

// add adds bad records that are not named yet, in order of position.
func (v *verdict) add(more []*ledger.BadRecord) {
	for _, b := range more {
		if !slices.ContainsFunc(v.Bad, func(known *ledger.BadRecord) bool { return known.Position == b.Position }) {
			v.Bad = append(v.Bad, b)
		}
	}
	slices.SortFunc(v.Bad, func(a, b *ledger.BadRecord) int { return int(int64(a.Position) - int64(b.Position)) })
	v.Bad = v.Bad[:min(len(v.Bad), ledger.MaxBad)]
}

// show tells the verdict to a person.
func (v *verdict) show(p *program, from string) {
	rate := float64(v.Records) / max(v.Seconds, 1e-9)
	if v.good() {
		p.answer("all good: %d records in %.1f s (%.0f a second)", v.Records, v.Seconds, rate)
	} else {
		p.answer("BAD: %d records checked in %.1f s, at least %d of them bad", v.Records, v.Seconds, len(v.Bad))
	}
	for _, b := range v.Bad {
		p.answer("  %s@%d at position %d: %s", b.Stream, b.Revision, b.Position, b.Problem)
	}
	if v.Damage != "" {
		p.answer("  %s", v.Damage)
	}
	if v.Pinned {
		p.answer("trusted keys: %s", from)
		return
	}
	p.answer("trusted keys: those in %s, which were not pinned. Somebody who can replace keys and log together goes unnoticed;\nkeep /.well-known/jwks.json elsewhere and give it with --jwks.", from)
}
