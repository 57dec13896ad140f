package crypto

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/tink/go/aead"
	"github.com/google/tink/go/keyset"

	"github.com/clawoffice/ledger/domain"
)

// KeyRing finds, makes, rotates and erases data keys: one chain of generations
// per workspace and per data subject in it. It is safe for concurrent use, and
// several processes may each have a ring over the same store: the id of a new
// key is determined, so they can't disagree about which key it is.
//
// A key seals at most 2^30 messages. The ring does not count them: each has a
// log position after the key's own, so the distance of the log's head, told by
// SetHead, bounds their number. Things sealed but not appended are not in that
// bound; keep them few.
type KeyRing struct {
	redacted
	kek     KEK
	secret  Secret
	store   KeyStore
	codec   *codec
	options RingOptions
	start   time.Time
	head    atomic.Uint64

	current *cache[owner, generation]
	byID    *cache[keyRef, opened]

	resolving flights[owner]
	opening   flights[keyRef]
}

// RingOptions tune a KeyRing. The zero value is right for production.
type RingOptions struct {
	// Size is how many keys of each sort are kept in memory; 4096 if 0.
	Size int
	// MaxAge is how long a key is used before the store is asked again whether
	// it was erased or followed by another elsewhere; a minute if 0.
	MaxAge time.Duration
	// Span is how far the head may be past a key's position before the next
	// generation is made; 2^29 if 0. Logs whose positions count bytes may take
	// as much more as their smallest record has bytes.
	Span uint64
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// owner is whose key it is; subject "" is the workspace itself.
type owner struct {
	ws      domain.WorkspaceID
	subject domain.SubjectTag
}

type keyRef struct {
	ws domain.WorkspaceID
	id KeyID
}

// generation is the newest key of an owner, as last seen.
type generation struct {
	number  int
	key     *DataKey
	created uint64 // log position; every message of the key has a greater one
	checked time.Duration
}

// opened is a key as last seen; a nil key was erased.
type opened struct {
	key     *DataKey
	checked time.Duration
}

// NewKeyRing makes a ring over a store.
func NewKeyRing(kek KEK, secret Secret, store KeyStore, options RingOptions) (*KeyRing, error) {
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	if options.Size == 0 {
		options.Size = 4096
	}
	if options.MaxAge == 0 {
		options.MaxAge = time.Minute
	}
	if options.Span == 0 {
		options.Span = 1 << 29
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &KeyRing{
		redacted: "key ring", kek: kek, secret: secret, store: store, codec: codec, options: options, start: options.Now(),
		current: newCache[owner, generation](options.Size), byID: newCache[keyRef, opened](options.Size),
		resolving: flights[owner]{now: map[owner]chan struct{}{}}, opening: flights[keyRef]{now: map[keyRef]chan struct{}{}},
	}, nil
}

// SetHead tells the ring how far the log has grown. Lower positions than one
// told before change nothing.
func (r *KeyRing) SetHead(position uint64) {
	for {
		old := r.head.Load()
		if position <= old || r.head.CompareAndSwap(old, position) {
			return
		}
	}
}

// now is the time since the ring was made.
func (r *KeyRing) now() time.Duration { return r.options.Now().Sub(r.start) }

func (r *KeyRing) fresh(checked time.Duration) bool { return r.now()-checked < r.options.MaxAge }

// worn reports whether a key at this position has sealed enough.
func (r *KeyRing) worn(created uint64) bool {
	head := r.head.Load()
	return head > created && head-created > r.options.Span
}

// tag is the part of key ids that all generations of an owner share.
func (r *KeyRing) tag(o owner) string {
	sum := r.secret.Tag(purposeDataKey, string(o.ws), string(o.subject))
	return string(appendID(make([]byte, 0, idLength), &sum))
}

// Current answers the key to seal with: the newest generation, made if there is
// none, if the newest was erased, or if it has sealed enough. Subject "" is the
// workspace's own key. Errors are those of the store and the KEK; the caller
// may try again.
func (r *KeyRing) Current(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag) (*DataKey, error) {
	o := owner{ws, subject}
	if g, ok := r.usable(o); ok {
		return g.key, nil
	}
	done, err := r.resolving.enter(ctx, o)
	if err != nil {
		return nil, err
	}
	defer done()
	if g, ok := r.usable(o); ok {
		return g.key, nil
	}
	mark := r.current.mark()
	g, err := r.resolve(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("finding the current data key of workspace %s: %w", ws, err)
	}
	r.current.put(o, g, mark)
	return g.key, nil
}

func (r *KeyRing) usable(o owner) (generation, bool) {
	g, ok := r.current.get(o)
	return g, ok && r.fresh(g.checked) && !r.worn(g.created)
}

// resolve asks the store for the newest generation, or makes it.
func (r *KeyRing) resolve(ctx context.Context, o owner) (generation, error) {
	known, _ := r.current.get(o)
	tag := r.tag(o)
	newest, found, err := r.newest(ctx, o.ws, tag, known.number)
	if err != nil {
		return generation{}, err
	}
	if found.exists && !found.erased && !r.worn(found.position) {
		return r.adopt(ctx, o.ws, tag, newest, found)
	}
	return r.create(ctx, o.ws, tag, newest+1)
}

// create stores a new key as the first generation from number on that is free,
// or adopts the one that somebody else stored first.
func (r *KeyRing) create(ctx context.Context, ws domain.WorkspaceID, tag string, number int) (generation, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return generation{}, fmt.Errorf("generating a data key: %w", err)
	}
	for ; ; number++ {
		if err := ctx.Err(); err != nil {
			return generation{}, err
		}
		id := keyID(tag, number)
		wrapped, err := wrapKeyset(ctx, r.kek, handle, string(ws), string(id))
		if err != nil {
			return generation{}, err
		}
		// The head before Put is at most the key's position, so it bounds the
		// messages as well and saves asking for the exact one.
		found := stored{exists: true, wrapped: wrapped, position: r.head.Load(), mark: r.byID.mark()}
		switch err := r.store.Put(ctx, ws, id, wrapped); {
		case errors.Is(err, ErrKeyErased):
			continue
		case errors.Is(err, ErrKeyExists):
			if found, err = r.get(ctx, ws, id); err != nil {
				return generation{}, err
			}
		case err != nil:
			return generation{}, fmt.Errorf("storing data key %s: %w", id, err)
		}
		if !found.erased && found.exists {
			return r.adopt(ctx, ws, tag, number, found)
		}
	}
}

// adopt opens a stored key and remembers it by its id. A key just made is
// opened as well: one that can't be unwrapped must never seal anything.
func (r *KeyRing) adopt(ctx context.Context, ws domain.WorkspaceID, tag string, number int, found stored) (generation, error) {
	key, err := r.open(ctx, keyRef{ws, keyID(tag, number)}, found)
	if err != nil {
		return generation{}, err
	}
	return generation{number, key, found.position, r.now()}, nil
}

// ByID answers the key with this id, to open what it sealed. [ErrKeyErased] and
// [ErrKeyUnknown] are final answers; other errors are worth another try.
func (r *KeyRing) ByID(ctx context.Context, ws domain.WorkspaceID, id KeyID) (*DataKey, error) {
	ref := keyRef{ws, id}
	if o, ok := r.seen(ref); ok {
		return o.answer()
	}
	if _, _, ok := ParseKeyID(id); !ok {
		return nil, fmt.Errorf("%w: %q is no key id", ErrKeyUnknown, id)
	}
	done, err := r.opening.enter(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer done()
	if o, ok := r.seen(ref); ok {
		return o.answer()
	}
	found, err := r.get(ctx, ws, id)
	switch {
	case err != nil:
		return nil, err
	case found.erased:
		r.byID.put(ref, opened{checked: r.now()}, found.mark)
		return nil, ErrKeyErased
	case !found.exists:
		return nil, fmt.Errorf("%w: %s", ErrKeyUnknown, id)
	}
	return r.open(ctx, ref, found)
}

func (r *KeyRing) seen(ref keyRef) (opened, bool) {
	o, ok := r.byID.get(ref)
	return o, ok && r.fresh(o.checked)
}

func (o opened) answer() (*DataKey, error) {
	if o.key == nil {
		return nil, ErrKeyErased
	}
	return o.key, nil
}

// open unwraps a stored key, unless it was unwrapped before.
func (r *KeyRing) open(ctx context.Context, ref keyRef, found stored) (*DataKey, error) {
	before, _ := r.byID.get(ref)
	key := before.key
	if key == nil {
		primitive, err := unwrapKeyset(ctx, r.kek, found.wrapped, string(ref.ws), string(ref.id))
		if err != nil {
			return nil, fmt.Errorf("opening data key %s: %w", ref.id, err)
		}
		key = &DataKey{"data key", ref.id, primitive, r.codec}
	}
	r.byID.put(ref, opened{key, r.now()}, found.mark)
	return key, nil
}

// Rotate makes the next generation for an owner and answers its id. Older
// generations stay, to open what they sealed. Other rings follow within their
// MaxAge.
func (r *KeyRing) Rotate(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag) (KeyID, error) {
	o := owner{ws, subject}
	done, err := r.resolving.enter(ctx, o)
	if err != nil {
		return "", err
	}
	defer done()
	tag := r.tag(o)
	newest, _, err := r.newest(ctx, ws, tag, 0)
	if err != nil {
		return "", fmt.Errorf("rotating a data key of workspace %s: %w", ws, err)
	}
	mark := r.current.mark()
	g, err := r.create(ctx, ws, tag, newest+1)
	if err != nil {
		return "", fmt.Errorf("rotating a data key of workspace %s: %w", ws, err)
	}
	r.current.put(o, g, mark)
	return g.key.id, nil
}

// Erase destroys every generation of a subject's key and answers their ids, in
// order, also those destroyed before. What they sealed can't be read again,
// here at once, through other rings after their MaxAge or [KeyRing.Forget]. On
// an error some may be left: erase again. Sealing for the subject afterwards
// makes a new generation. A workspace's own key is [ErrOwnKey].
func (r *KeyRing) Erase(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag) ([]KeyID, error) {
	return r.EraseUntil(ctx, ws, subject, math.MaxUint64)
}

// EraseUntil is [KeyRing.Erase] for the generations that were stored up to a
// position of the log. Whoever does again what was done before, not knowing
// that it was, destroys nothing that was made since.
func (r *KeyRing) EraseUntil(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag, position uint64) ([]KeyID, error) {
	if subject == "" {
		return nil, ErrOwnKey
	}
	o := owner{ws, subject}
	done, err := r.resolving.enter(ctx, o)
	if err != nil {
		return nil, err
	}
	defer done()
	tag := r.tag(o)
	defer r.forget(ws, tag) // whatever happens, ask the store again
	var ids []KeyID
	for {
		newest, _, err := r.newest(ctx, ws, tag, len(ids))
		if err != nil {
			return ids, fmt.Errorf("erasing a data key of workspace %s: %w", ws, err)
		}
		if newest <= len(ids) {
			return ids, nil // and nobody made another meanwhile
		}
		for number := len(ids) + 1; number <= newest; number++ {
			id := keyID(tag, number)
			found, err := r.get(ctx, ws, id)
			if err != nil {
				return ids, err
			}
			if !found.erased && found.position > position {
				return ids, nil // and so is every one after it
			}
			if err := r.store.Destroy(ctx, ws, id); err != nil {
				return ids, fmt.Errorf("destroying data key %s: %w", id, err)
			}
			ids = append(ids, id)
		}
	}
}

// Forget drops from memory all generations of the key that id is one of. A
// replica calls it when it learns from the log that another one erased or
// rotated that key.
func (r *KeyRing) Forget(ws domain.WorkspaceID, id KeyID) {
	if tag, _, ok := ParseKeyID(id); ok {
		r.forget(ws, tag)
	}
}

func (r *KeyRing) forget(ws domain.WorkspaceID, tag string) {
	prefix := tag + "."
	r.current.drop(func(o owner, g generation) bool {
		return o.ws == ws && strings.HasPrefix(string(g.key.id), prefix)
	})
	r.byID.drop(func(ref keyRef, _ opened) bool {
		return ref.ws == ws && strings.HasPrefix(string(ref.id), prefix)
	})
}
