package crypto

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/domain"
)

// KeyID names a data key in its workspace: "<tag>.<generation>". The tag is 26
// characters of [a-z2-7], a keyed tag of whose key it is that tells nothing
// about who that is; generations count from 1.
type KeyID string

func keyID(tag string, generation int) KeyID {
	return KeyID(tag + "." + strconv.Itoa(generation))
}

// ParseKeyID splits a key id, and reports whether it has the form of one.
func ParseKeyID(id KeyID) (tag string, generation int, ok bool) {
	tag, number, found := strings.Cut(string(id), ".")
	generation, err := strconv.Atoi(number)
	if !found || err != nil || generation < 1 || strconv.Itoa(generation) != number || len(tag) != idLength {
		return "", 0, false
	}
	return tag, generation, strings.Trim(tag, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// KeyStore keeps wrapped data keys. It is safe for concurrent use by any number
// of processes.
//
// Put stores a key under an id that was never used; on return it is durable.
// Of several concurrent Puts of one id exactly one succeeds; the others, and
// every later one, are [ErrKeyExists], or [ErrKeyErased] once it was destroyed.
// After any other error the key may or may not be there, and the caller tries
// again.
//
// Get answers a stored key and the log position at which it was stored: every
// message sealed with it has a greater one. [ErrKeyUnknown] if there never was
// such a key, [ErrKeyErased] if it was destroyed. Get sees every Put and
// Destroy that returned before it began.
//
// Destroy removes a key for good. Destroying a destroyed key succeeds.
type KeyStore interface {
	Put(ctx context.Context, ws domain.WorkspaceID, id KeyID, wrapped []byte) error
	Get(ctx context.Context, ws domain.WorkspaceID, id KeyID) (wrapped []byte, position uint64, err error)
	Destroy(ctx context.Context, ws domain.WorkspaceID, id KeyID) error
}

var (
	// ErrKeyExists: the id is taken; Get answers the key that has it.
	ErrKeyExists = errors.New("data key exists")
	// ErrKeyUnknown: there never was such a key.
	ErrKeyUnknown = errors.New("no such data key")
	// ErrKeyErased: the key was destroyed; what it sealed can't be read again.
	ErrKeyErased = errors.New("data key was erased")
	// ErrOwnKey: a workspace's own key seals facts and can't be erased.
	ErrOwnKey = errors.New("the workspace's own key can't be erased, facts are sealed with it")
)
