package crypto

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// memStore is a KeyStore in memory that keeps the port's contract, counts its
// calls, and fails where a test wants it to.
type memStore struct {
	mu      sync.Mutex
	keys    map[keyRef]memKey
	head    uint64 // position of the last key
	gets    int
	puts    int
	fail    func(call string, id KeyID) error // before the call has an effect
	failed  func(call string, id KeyID) error // after it had
	between func(call string, id KeyID)       // after the effect, without the lock
}

type memKey struct {
	wrapped  []byte
	position uint64
	erased   bool
}

var errStore = errors.New("store is down")

func newMemStore() *memStore { return &memStore{keys: map[keyRef]memKey{}} }

func (s *memStore) call(name string, id KeyID, effect func() error) error {
	s.mu.Lock()
	err := func() error {
		if s.fail != nil {
			if err := s.fail(name, id); err != nil {
				return err
			}
		}
		err := effect()
		if s.failed != nil && err == nil {
			err = s.failed(name, id)
		}
		return err
	}()
	between := s.between
	s.mu.Unlock()
	if between != nil {
		between(name, id)
	}
	return err
}

func (s *memStore) Put(_ context.Context, ws domain.WorkspaceID, id KeyID, wrapped []byte) error {
	return s.call("put", id, func() error {
		s.puts++
		switch k, ok := s.keys[keyRef{ws, id}]; {
		case ok && k.erased:
			return ErrKeyErased
		case ok:
			return ErrKeyExists
		}
		s.head++
		s.keys[keyRef{ws, id}] = memKey{wrapped: bytes.Clone(wrapped), position: s.head}
		return nil
	})
}

func (s *memStore) Get(_ context.Context, ws domain.WorkspaceID, id KeyID) (wrapped []byte, position uint64, err error) {
	err = s.call("get", id, func() error {
		s.gets++
		k, ok := s.keys[keyRef{ws, id}]
		switch {
		case !ok:
			return ErrKeyUnknown
		case k.erased:
			return ErrKeyErased
		}
		wrapped, position = k.wrapped, k.position
		return nil
	})
	return wrapped, position, err
}

func (s *memStore) Destroy(_ context.Context, ws domain.WorkspaceID, id KeyID) error {
	return s.call("destroy", id, func() error {
		s.keys[keyRef{ws, id}] = memKey{erased: true}
		return nil
	})
}

// stoppedClock is a clock that tests move.
type stoppedClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *stoppedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stoppedClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
