package crypto

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRotateSigning(t *testing.T) {
	d := newDir(t)
	other := reopen(t, d)
	old := d.Signer()
	before := old.Sign(nil, []byte(`{"v":1}`))
	at := time.Now().Add(time.Hour)
	kid, err := d.RotateSigning(at)
	if err != nil {
		t.Fatal(err)
	}
	if d.Signer().KeyID() != kid || kid == old.KeyID() {
		t.Fatalf("signs with %s after rotating to %s", d.Signer().KeyID(), kid)
	}
	if d.CheckValue() != other.CheckValue() {
		t.Error("the check value changed")
	}
	after := d.Signer().Sign(nil, []byte(`{"v":2}`))
	if _, _, err := other.Verifier().Verify(after, RecordTyp); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("the other replica, not reloaded: %v", err)
	}
	if err := other.Reload(); err != nil {
		t.Fatal(err)
	}
	pinned, err := NewVerifier(d.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*Verifier{"here": d.Verifier(), "other replica": other.Verifier(), "published JWKS": pinned} {
		for _, token := range [][]byte{before, after} {
			if _, _, err := v.Verify(token, RecordTyp); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	keys := pinned.Keys()
	if len(keys) != 2 || keys[0].ID != kid || !keys[0].Retired.IsZero() ||
		keys[1].ID != old.KeyID() || !keys[1].Retired.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("published keys %+v", keys)
	}
	if infos := d.Keys(); len(infos) != 3 || !infos[0].Active || infos[1].Active || infos[2].Use != "key-encryption" {
		t.Errorf("keys %+v", infos)
	}
}

// Rotations by a clock that stands still or runs back keep their order.
func TestRotatingWithASlowClock(t *testing.T) {
	d := newDir(t)
	var kids []string
	for range 4 {
		kid, err := d.RotateSigning(time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		kids = append([]string{kid}, kids...)
		if d.Signer().KeyID() != kid {
			t.Fatalf("signs with %s, not with the new %s", d.Signer().KeyID(), kid)
		}
	}
	var got []string
	for _, k := range reopen(t, d).Verifier().Keys()[:4] {
		got = append(got, k.ID)
	}
	if diff := cmp.Diff(kids, got); diff != "" {
		t.Error(diff)
	}
}

func TestRotationThatBrokeOff(t *testing.T) {
	d := newDir(t)
	first := d.Verifier().Keys()[0]
	at := first.ValidFrom.Add(time.Hour)
	second, err := newSigningKey(d.Path(), at) // and no retirement of the first
	if err != nil {
		t.Fatal(err)
	}
	again := reopen(t, d)
	if again.Signer().KeyID() != second {
		t.Errorf("signs with %s, want the newer %s", again.Signer().KeyID(), second)
	}
	if keys := again.Verifier().Keys(); !keys[1].Retired.Equal(at) {
		t.Errorf("the first key is retired at %v, want %v", keys[1].Retired, at)
	}
	if _, err := again.RotateSigning(at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	keys := reopen(t, d).Verifier().Keys()
	if len(keys) != 3 || !keys[2].Retired.Equal(at) || !keys[1].Retired.Equal(at.Add(time.Hour)) {
		t.Errorf("keys %+v", keys)
	}
}

func TestTheNewestKeyWasLost(t *testing.T) {
	d := newDir(t)
	kid, err := d.RotateSigning(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	remove(filepath.Join(signingName, kid+jwkSuffix))(t, d.Path())
	if _, _, err := OpenDir(d.Path(), OpenOptions{}); !errors.Is(err, ErrIncompleteKeys) {
		t.Errorf("error %v, want %v", err, ErrIncompleteKeys)
	}
	before := d.Signer()
	if err := d.Reload(); !errors.Is(err, ErrIncompleteKeys) || d.Signer() != before {
		t.Errorf("a failed Reload changed something: %v", err)
	}
}

// Replicas rotate at once, others reload meanwhile; nobody fails, no key is
// lost, all end up with the same active one.
func TestRotatingAndReloadingAtOnce(t *testing.T) {
	d := newDir(t)
	var wg sync.WaitGroup
	for range 3 {
		replica := reopen(t, d)
		wg.Go(func() {
			for range 5 {
				if _, err := replica.RotateSigning(time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
		reader := reopen(t, d)
		wg.Go(func() {
			for range 20 {
				if err := reader.Reload(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a, b := reopen(t, d), d
	if err := b.Reload(); err != nil {
		t.Fatal(err)
	}
	if n := len(a.Verifier().Keys()); n != 16 || a.Signer().KeyID() != b.Signer().KeyID() {
		t.Errorf("%d keys, active %s and %s", n, a.Signer().KeyID(), b.Signer().KeyID())
	}
}

// A reader that listed the files before a rotation and read them after it sees
// only the retired key; it must look again rather than fail.
func TestReadingDuringARotation(t *testing.T) {
	active, retired := signingKey{}, signingKey{marked: true}
	reads := [][]signingKey{{retired}, {active, retired}}
	keys, err := withActiveKey(func() ([]signingKey, error) {
		next := reads[0]
		reads = reads[1:]
		return next, nil
	})
	if err != nil || len(keys) != 2 {
		t.Errorf("%d keys, error %v", len(keys), err)
	}
}
