package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

type restoreCmd struct {
	From string `help:"The backup." placeholder:"DIR" required:"" type:"existingdir" group:"storage"`
	Data string `help:"Data directory to make." placeholder:"DIR" required:"" type:"path" group:"storage"`
	Keys string `help:"Key directory of the log. If the backup holds the keys they are copied here. Default: DATA/keys." placeholder:"DIR" type:"path" group:"storage"`
	JSON bool   `name:"json" help:"Answer JSON."`
}

func (*restoreCmd) Help() string {
	return `What happened after the backup is lost to the log, but it happened: a permit that looks unused may have been used. So restore ends, by events of their own, every execution with a permit that could still be started, and releases every open reservation of a budget.

Example:
  clawledger restore --from /backups/2026-11-22 --data ledger-data --keys /secure/keys`
}

func (c *restoreCmd) Run(p *program) error {
	m, err := readManifest(c.From)
	if err != nil {
		return err
	}
	if err := emptyPath(c.Data); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(c.Data), filepath.Base(c.Data)+".partial-*")
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	counts, err := c.restore(p, m, partial)
	if err == nil {
		err = errors.Join(os.Rename(partial, c.Data), syncDir(filepath.Dir(c.Data)))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("restoring: %w", err), os.RemoveAll(partial))
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"records": m.Records, "cancelled_executions": counts.Executions,
			"released_reservations": counts.Reservations, "open_approvals": counts.Approvals})
	}
	p.answer("restored %d records of %s to %s", m.Records, m.Made.Format("2006-01-02 15:04 MST"), c.Data)
	p.answer("cancelled %d executions with an unused permit, released %d reservations", counts.Executions, counts.Reservations)
	if counts.Approvals > 0 {
		p.answer("%d executions wait for approval. Before approving, ask whether it was decided after the backup was made.", counts.Approvals)
	}
	return nil
}

// restore fills the directory data with the restored log.
func (c *restoreCmd) restore(p *program, m manifest, data string) (voided, error) {
	keys, err := c.placeKeys(m, data)
	if err != nil {
		return voided{}, err
	}
	if err := copyFile(filepath.Join(c.From, logFile), filepath.Join(data, logFile)); err != nil {
		return voided{}, err
	}
	trusted, err := trusting("", keys.Path())
	if err != nil {
		return voided{}, err
	}
	v, err := verifyCopy(p, data, trusted)
	if err != nil {
		return voided{}, err
	}
	if !v.good() {
		v.show(p, keys.Path())
		return voided{}, fmt.Errorf("%w: it holds bad records; restore an earlier one", errBadBackup)
	}
	return c.void(p, data, keys)
}

// placeKeys copies the backup's keys, or opens those that were named.
func (c *restoreCmd) placeKeys(m manifest, data string) (*ledgercrypto.Dir, error) {
	path := c.Keys
	if path == "" {
		path = filepath.Join(data, keysFolder)
	}
	if m.has(keysFolder) && !exists(path) {
		if err := copyTree(filepath.Join(c.From, keysFolder), path); err != nil {
			return nil, err
		}
	}
	dir, _, err := ledgercrypto.OpenDir(path, ledgercrypto.OpenOptions{})
	if errors.Is(err, ledgercrypto.ErrNoKeys) && c.Keys == "" {
		return nil, errors.New("the backup holds no keys: name the key directory of the log with --keys DIR")
	}
	return dir, err
}

// void opens the restored log for writing and ends what must not go on.
func (c *restoreCmd) void(p *program, data string, keys *ledgercrypto.Dir) (counts voided, err error) {
	log, err := sqlite.Open(p.ctx, data, sqlite.Options{Logger: p.log, FullCheck: true})
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	s, err := seal(log, keys, p.now)
	if err == nil {
		err = s.holds(p.ctx)
	}
	if err != nil {
		return counts, fmt.Errorf("these keys are not the log's: %w", err)
	}
	return newVoiding(s, p.now).all(p.ctx)
}
