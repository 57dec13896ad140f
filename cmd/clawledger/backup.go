package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

type backupCmd struct {
	Data     string `help:"Data directory of the server." placeholder:"DIR" required:"" type:"path" group:"storage"`
	Keys     string `help:"Key directory. Default: DATA/keys." placeholder:"DIR" type:"path" group:"storage"`
	To       string `help:"Directory to make, with the backup in it." placeholder:"DIR" required:"" type:"path" group:"storage"`
	WithKeys bool   `help:"Copy the key directory too. Whoever has such a backup can read and forge everything."`
	JSON     bool   `name:"json" help:"Answer JSON."`
}

func (*backupCmd) Help() string {
	return `Copies an embedded log as it is at one moment, beside a running server, and verifies the copy. Keys are left out unless asked for: keep a copy of the key directory somewhere else, without it a backup can't be read.

A log in EventStoreDB is backed up with EventStoreDB's own tools.

Example:
  clawledger backup --data ledger-data --to /backups/2026-11-22`
}

func (c *backupCmd) Run(p *program) error {
	if err := emptyPath(c.To); err != nil {
		return err
	}
	keys, err := trusting("", keysOr(c.Keys, c.Data))
	if err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(c.To), filepath.Base(c.To)+".partial-*")
	if err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	m, v, err := c.make(p, partial, keys)
	if err == nil {
		err = errors.Join(os.Rename(partial, c.To), syncDir(filepath.Dir(c.To)))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("making the backup: %w", err), os.RemoveAll(partial))
	}
	return c.report(p, m, v)
}

// make fills dir with a backup.
func (c *backupCmd) make(p *program, dir string, keys *trust) (manifest, *verdict, error) {
	m := manifest{Format: manifestFormat, Made: p.now().UTC(), Version: buildOf().Version}
	if err := c.copyLog(p, dir); err != nil {
		return m, nil, err
	}
	if err := writeFile(filepath.Join(dir, jwksFile), keys.dir.JWKS()); err != nil {
		return m, nil, err
	}
	if c.WithKeys {
		if err := copyTree(keys.dir.Path(), filepath.Join(dir, keysFolder)); err != nil {
			return m, nil, err
		}
	}
	v, err := verifyCopy(p, dir, keys)
	if err != nil {
		return m, nil, err
	}
	m.Records, m.Head = v.Records, v.Head
	if m.Files, err = digestFiles(dir); err != nil {
		return m, nil, err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, nil, err
	}
	return m, v, errors.Join(writeFile(filepath.Join(dir, manifestFile), append(data, '\n')), syncDir(dir))
}

func (c *backupCmd) copyLog(p *program, dir string) error {
	log, err := sqlite.OpenReadOnly(p.ctx, c.Data)
	if err != nil {
		return err
	}
	progress := newBar(p.err, "copying", 1000)
	err = log.Backup(p.ctx, filepath.Join(dir, logFile), func(done, total int) { progress.at(int64(done) * 1000 / int64(max(total, 1))) })
	progress.done()
	return errors.Join(err, log.Close())
}

// verifyCopy verifies a copied log, and leaves nothing beside it.
func verifyCopy(p *program, dir string, keys *trust) (*verdict, error) {
	log, err := sqlite.OpenReadOnly(p.ctx, dir)
	if err != nil {
		return nil, err
	}
	v, err := verifyLog(p, log, keys, "")
	if err = errors.Join(err, log.Close()); err != nil {
		return nil, err
	}
	for _, beside := range []string{"-wal", "-shm"} { // SQLite makes them to read
		if err := os.RemoveAll(filepath.Join(dir, logFile+beside)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// report tells what was made. A log with bad records is backed up all the same,
// because it is all there is.
func (c *backupCmd) report(p *program, m manifest, v *verdict) error {
	var err error
	if c.JSON {
		err = json.NewEncoder(p.out).Encode(map[string]any{"path": c.To, "records": m.Records, "head": m.Head, "files": m.Files, "bad": v.Bad})
	} else {
		p.answer("backup of %d records in %s", m.Records, c.To)
		v.show(p, keysOr(c.Keys, c.Data))
		if !c.WithKeys {
			p.answer("The keys are not in it. Keep a copy of %s in another safe place.", keysOr(c.Keys, c.Data))
		}
	}
	if err == nil && !v.good() {
		err = &exit{exitFailed, errors.New("the copy is as bad as the log: see above, and restore an earlier backup")}
	}
	return err
}
