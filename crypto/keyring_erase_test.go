package crypto

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestErase(t *testing.T) {
	in := newInstall(t)
	a, b := in.ring(RingOptions{}), in.ring(RingOptions{})
	first := current(t, a, "acme", "s1")
	other := current(t, a, "acme", "s2")
	second, err := a.Rotate(t.Context(), "acme", "s1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ByID(t.Context(), "acme", first.ID()); err != nil {
		t.Fatal(err)
	}
	ids, err := a.Erase(t.Context(), "acme", "s1")
	if diff := cmp.Diff([]KeyID{first.ID(), second}, ids); err != nil || diff != "" {
		t.Fatalf("erased %v, error %v", ids, err)
	}
	for _, id := range ids {
		for range 2 { // the second answer comes from memory
			if _, err := a.ByID(t.Context(), "acme", id); !errors.Is(err, ErrKeyErased) {
				t.Errorf("ByID of %s: error %v", id, err)
			}
		}
	}
	if _, err := a.ByID(t.Context(), "acme", other.ID()); err != nil {
		t.Errorf("the other subject's key: %v", err)
	}
	if k := current(t, a, "acme", "s1"); generationOf(t, k.ID()) != 3 {
		t.Errorf("after erasing, the current key is %s", k.ID())
	}
	if _, err := b.ByID(t.Context(), "acme", first.ID()); err != nil {
		t.Errorf("the other replica can't know yet: %v", err)
	}
	b.Forget("acme", second)
	if _, err := b.ByID(t.Context(), "acme", first.ID()); !errors.Is(err, ErrKeyErased) {
		t.Errorf("the other replica was told: %v", err)
	}
	if ids, err = a.Erase(t.Context(), "acme", "s1"); err != nil || len(ids) != 3 {
		t.Errorf("erasing again: %v, %v", ids, err)
	}
	if ids, err = a.Erase(t.Context(), "acme", "nobody"); err != nil || len(ids) != 0 {
		t.Errorf("erasing who has no key: %v, %v", ids, err)
	}
}

// An erasure that is made again by somebody who does not know that it was made
// leaves the keys that came after it.
func TestErasingAgainSparesWhatCameAfter(t *testing.T) {
	in := newInstall(t)
	r := in.ring(RingOptions{})
	first := current(t, r, "acme", "s1").ID()
	ordered := in.store.head
	for range 2 {
		ids, err := r.EraseUntil(t.Context(), "acme", "s1", ordered)
		if diff := cmp.Diff([]KeyID{first}, ids); err != nil || diff != "" {
			t.Fatalf("erased %v, error %v", ids, err)
		}
		if k := current(t, r, "acme", "s1"); generationOf(t, k.ID()) != 2 {
			t.Errorf("the current key is %s", k.ID())
		}
		if _, err := r.ByID(t.Context(), "acme", first); !errors.Is(err, ErrKeyErased) {
			t.Errorf("the first key: %v", err)
		}
	}
	if ids, err := r.EraseUntil(t.Context(), "acme", "s1", in.store.head); err != nil || len(ids) != 2 {
		t.Errorf("a later erasure: %v, %v", ids, err)
	}
}

func TestErasureReachesOtherReplicasInTime(t *testing.T) {
	in := newInstall(t)
	a, b := in.ring(RingOptions{}), in.ring(RingOptions{})
	k := current(t, b, "acme", "s1")
	if _, err := a.Erase(t.Context(), "acme", "s1"); err != nil {
		t.Fatal(err)
	}
	in.clock.advance(time.Minute)
	if _, err := b.ByID(t.Context(), "acme", k.ID()); !errors.Is(err, ErrKeyErased) {
		t.Errorf("ByID: error %v", err)
	}
	if again := current(t, b, "acme", "s1"); generationOf(t, again.ID()) != 2 {
		t.Errorf("still seals with %s", again.ID())
	}
}

func TestTheWorkspacesOwnKeyStays(t *testing.T) {
	r := newInstall(t).ring(RingOptions{})
	k := current(t, r, "acme", "")
	if _, err := r.Erase(t.Context(), "acme", ""); !errors.Is(err, ErrOwnKey) {
		t.Errorf("error %v, want %v", err, ErrOwnKey)
	}
	if _, err := r.ByID(t.Context(), "acme", k.ID()); err != nil {
		t.Error(err)
	}
}

// Erasing while a reader is between asking the store and remembering the answer
// must not leave the erased key in memory.
func TestErasingDuringALookup(t *testing.T) {
	in := newInstall(t)
	eraser := in.ring(RingOptions{})
	id := current(t, eraser, "acme", "s1").ID()
	r := in.ring(RingOptions{})
	done := false
	in.store.between = func(call string, got KeyID) {
		if call == "get" && got == id && !done {
			done = true
			if _, err := r.Erase(context.Background(), "acme", "s1"); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := r.ByID(t.Context(), "acme", id); err != nil {
		t.Errorf("the key was there when it was asked for: %v", err)
	}
	if _, err := r.ByID(t.Context(), "acme", id); !errors.Is(err, ErrKeyErased) {
		t.Errorf("the erased key stayed in memory: %v", err)
	}
}

func TestEraseThatBreaksOff(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			in := newInstall(t)
			r := in.ring(RingOptions{})
			first := current(t, r, "acme", "s1").ID()
			second, err := r.Rotate(t.Context(), "acme", "s1")
			if err != nil {
				t.Fatal(err)
			}
			breaking := func(call string, id KeyID) error {
				if call == "destroy" && id == second {
					return errStore
				}
				return nil
			}
			if when == "before" {
				in.store.fail = breaking
			} else {
				in.store.failed = breaking
			}
			if ids, err := r.Erase(t.Context(), "acme", "s1"); !errors.Is(err, errStore) || !cmp.Equal(ids, []KeyID{first}) {
				t.Fatalf("erased %v, error %v", ids, err)
			}
			if _, err := r.ByID(t.Context(), "acme", first); !errors.Is(err, ErrKeyErased) {
				t.Errorf("the first key: %v", err)
			}
			in.store.fail, in.store.failed = nil, nil
			if ids, err := r.Erase(t.Context(), "acme", "s1"); err != nil || len(ids) != 2 {
				t.Errorf("again: %v, %v", ids, err)
			}
		})
	}
}

// Another replica makes and erases a generation after this one saw that there
// was none: this one's key for it is stored nowhere and must never seal.
func TestErasingBeforeACreation(t *testing.T) {
	in := newInstall(t)
	other, r := in.ring(RingOptions{}), in.ring(RingOptions{})
	done := false
	in.store.between = func(call string, _ KeyID) {
		if call != "get" || done {
			return
		}
		done = true
		current(t, other, "acme", "s1")
		if _, err := other.Erase(context.Background(), "acme", "s1"); err != nil {
			t.Error(err)
		}
	}
	k := current(t, r, "acme", "s1")
	if generationOf(t, k.ID()) != 2 {
		t.Fatalf("seals with %s, which was erased", k.ID())
	}
	sealed, err := k.Seal(nil, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := in.ring(RingOptions{}).ByID(t.Context(), "acme", k.ID())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, nil); err != nil || string(got) != "x" {
		t.Errorf("opened %q, %v", got, err)
	}
}
