package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
)

// Snapshots is a local cache of folded states, sealed under their workspace's
// key. It only saves time: any file may be missing, old or damaged, and is
// then passed over. A snapshot is taken for true only where the log's own
// record at its revision has the digest that the snapshot was made at.
type Snapshots struct {
	dir    string
	ledger *Ledger
}

// NewSnapshots keeps snapshots in dir, which is made if it is missing.
func NewSnapshots(dir string, l *Ledger) (*Snapshots, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the snapshot cache: %w", err)
	}
	return &Snapshots{dir: dir, ledger: l}, nil
}

// snapshot is a file's content: a clear part, and the sealed state.
type snapshot struct {
	Schema string `json:"schema"`
	Stream string `json:"stream"`
	Tail   Tail   `json:"tail"`
	Key    string `json:"key"`
	Sealed []byte `json:"sealed,omitempty"`
}

// bound is what the sealed state is bound to.
func (s snapshot) bound() ([]byte, error) {
	s.Sealed = nil
	return json.Marshal(s)
}

// Save keeps the state of a stream at tail. schema names the state's shape.
func (c *Snapshots) Save(ctx context.Context, stream, schema string, tail Tail, state []byte) error {
	ws, err := WorkspaceOf(stream)
	if err != nil {
		return err
	}
	key, err := c.ledger.keys.Current(ctx, ws, "")
	if err != nil {
		return fmt.Errorf("finding the key for a snapshot: %w", err)
	}
	s := snapshot{Schema: schema, Stream: stream, Tail: tail, Key: string(key.ID())}
	bound, err := s.bound()
	if err != nil {
		return err
	}
	if s.Sealed, err = key.Seal(nil, state, bound); err != nil {
		return fmt.Errorf("sealing a snapshot: %w", err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := c.path(stream)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return os.Rename(path+".new", path)
}

// Load answers the newest usable state of a stream and the tail to read on
// from; ok is false if there is none.
func (c *Snapshots) Load(ctx context.Context, stream, schema string) (state []byte, tail Tail, ok bool) {
	data, err := os.ReadFile(c.path(stream))
	if err != nil {
		return nil, Tail{}, false
	}
	var s snapshot
	if json.Unmarshal(data, &s) != nil || s.Schema != schema || s.Stream != stream {
		return nil, Tail{}, false
	}
	state, err = c.open(ctx, s)
	return state, s.Tail, err == nil
}

// open checks a snapshot against the log and opens it.
func (c *Snapshots) open(ctx context.Context, s snapshot) ([]byte, error) {
	last, err := c.ledger.ReadRecord(ctx, s.Stream, s.Tail.Revision)
	if err != nil {
		return nil, err
	}
	if last.Link != s.Tail.Digest {
		return nil, ErrForged
	}
	key, err := c.ledger.keys.ByID(ctx, last.Workspace, ledgercrypto.KeyID(s.Key))
	if err != nil {
		return nil, err
	}
	bound, err := s.bound()
	if err != nil {
		return nil, err
	}
	return key.Open(s.Sealed, bound)
}

func (c *Snapshots) path(stream string) string {
	sum := sha256.Sum256([]byte(stream))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16])+".snapshot")
}
