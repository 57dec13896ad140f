package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// install is one installation's secrets and store, on which tests run rings
// as replicas do.
type install struct {
	t      testing.TB
	kek    KEK
	secret Secret
	store  *memStore
	clock  *stoppedClock
}

func newInstall(t testing.TB) *install {
	t.Helper()
	return &install{t, testKEK(t), testSecret(t), newMemStore(), &stoppedClock{at: time.Unix(1e9, 0)}}
}

func (i *install) ring(options RingOptions) *KeyRing {
	i.t.Helper()
	options.Now = i.clock.now
	r, err := NewKeyRing(i.kek, i.secret, i.store, options)
	if err != nil {
		i.t.Fatal(err)
	}
	return r
}

// current is Current where it must work.
func current(t testing.TB, r *KeyRing, ws domain.WorkspaceID, subject domain.SubjectTag) *DataKey {
	t.Helper()
	k, err := r.Current(t.Context(), ws, subject)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func generationOf(t testing.TB, id KeyID) int {
	t.Helper()
	_, n, ok := ParseKeyID(id)
	if !ok {
		t.Fatalf("%q is no key id", id)
	}
	return n
}

func TestCurrentIsOneKeyPerOwner(t *testing.T) {
	r := newInstall(t).ring(RingOptions{})
	seen := map[KeyID]string{}
	for _, o := range []owner{{"acme", ""}, {"acme", "s1"}, {"acme", "s2"}, {"beta", ""}, {"beta", "s1"}} {
		k := current(t, r, o.ws, o.subject)
		if other, dup := seen[k.ID()]; dup {
			t.Errorf("%v has the key id of %s", o, other)
		}
		seen[k.ID()] = fmt.Sprint(o)
		if again := current(t, r, o.ws, o.subject); again != k {
			t.Errorf("%v: another key the second time", o)
		}
		if byID, err := r.ByID(t.Context(), o.ws, k.ID()); err != nil || byID != k {
			t.Errorf("%v: ByID answered another key, error %v", o, err)
		}
		if generationOf(t, k.ID()) != 1 || strings.Contains(string(k.ID()), "s1") || strings.Contains(string(k.ID()), "acme") {
			t.Errorf("%v has key id %s", o, k.ID())
		}
	}
}

// A restarted replica, or another one, opens what this one sealed and goes on
// with the same key.
func TestRingsShareKeys(t *testing.T) {
	in := newInstall(t)
	a, b := in.ring(RingOptions{}), in.ring(RingOptions{})
	ka, kb := current(t, a, "acme", "s1"), current(t, b, "acme", "s1")
	if ka.ID() != kb.ID() || in.store.puts != 1 {
		t.Fatalf("keys %s and %s, %d stored", ka.ID(), kb.ID(), in.store.puts)
	}
	sealed, err := ka.Seal(nil, []byte("x"), []byte("ad"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := kb.Open(sealed, []byte("ad")); err != nil || string(got) != "x" {
		t.Errorf("opened %q, %v", got, err)
	}
	if _, err := b.ByID(t.Context(), "beta", ka.ID()); !errors.Is(err, ErrKeyUnknown) {
		t.Errorf("a key of another workspace: error %v", err)
	}
}

func TestRaceOnCreation(t *testing.T) {
	in := newInstall(t)
	const replicas, callers = 4, 8
	ids := make([]KeyID, replicas*callers)
	var sealed sync.Map
	var wg sync.WaitGroup
	for i := range replicas {
		r := in.ring(RingOptions{})
		for j := range callers {
			wg.Go(func() {
				k, err := r.Current(t.Context(), "acme", "")
				if err != nil {
					t.Error(err)
					return
				}
				c, err := k.Seal(nil, []byte("x"), nil)
				if err != nil {
					t.Error(err)
				}
				ids[i*callers+j] = k.ID()
				sealed.Store(i*callers+j, c)
			})
		}
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("keys %s and %s", id, ids[0])
		}
	}
	k := current(t, in.ring(RingOptions{}), "acme", "")
	sealed.Range(func(_, c any) bool {
		if _, err := k.Open(c.([]byte), nil); err != nil {
			t.Error(err)
		}
		return true
	})
	if in.store.puts > replicas {
		t.Errorf("%d attempts to store, want at most one per replica", in.store.puts)
	}
}

func TestRotate(t *testing.T) {
	in := newInstall(t)
	a, b := in.ring(RingOptions{}), in.ring(RingOptions{})
	first := current(t, a, "acme", "")
	sealed, err := first.Seal(nil, []byte("old"), nil)
	if err != nil {
		t.Fatal(err)
	}
	current(t, b, "acme", "")
	for want := 2; want <= 20; want++ {
		id, err := a.Rotate(t.Context(), "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := current(t, a, "acme", ""); got.ID() != id || generationOf(t, id) != want {
			t.Fatalf("current %s after rotating to %s, want generation %d", got.ID(), id, want)
		}
	}
	if got := current(t, b, "acme", ""); got.ID() != first.ID() {
		t.Errorf("the other replica asked the store before its time: %s", got.ID())
	}
	in.clock.advance(time.Minute)
	if got := current(t, b, "acme", ""); generationOf(t, got.ID()) != 20 {
		t.Errorf("the other replica is at %s", got.ID())
	}
	in.store.gets = 0
	cold := in.ring(RingOptions{})
	if got := current(t, cold, "acme", ""); generationOf(t, got.ID()) != 20 || in.store.gets > 10 {
		t.Errorf("a cold replica is at %s after %d look-ups", got.ID(), in.store.gets)
	}
	k, err := cold.ByID(t.Context(), "acme", first.ID())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(sealed, nil); err != nil || string(got) != "old" {
		t.Errorf("opened %q, %v", got, err)
	}
}

func TestRotationBeforeTheKeyWearsOut(t *testing.T) {
	in := newInstall(t)
	r := in.ring(RingOptions{})
	r.SetHead(1000)
	current(t, r, "acme", "")
	r.SetHead(1000 + 1<<29)
	r.SetHead(5) // an old word from a slow reader
	if k := current(t, r, "acme", ""); generationOf(t, k.ID()) != 1 {
		t.Errorf("rotated too early: %s", k.ID())
	}
	r.SetHead(1000 + 1<<29 + 1)
	if k := current(t, r, "acme", ""); generationOf(t, k.ID()) != 2 {
		t.Errorf("not rotated: %s", k.ID())
	}
	if k := current(t, r, "acme", ""); generationOf(t, k.ID()) != 2 {
		t.Errorf("rotated twice: %s", k.ID())
	}
	// A cold ring learns the position from the store, where the keys are at 1 and 2.
	cold := in.ring(RingOptions{Span: 100})
	cold.SetHead(102)
	if k := current(t, cold, "acme", ""); generationOf(t, k.ID()) != 2 {
		t.Errorf("a cold ring rotated too early: %s", k.ID())
	}
	cold = in.ring(RingOptions{Span: 100})
	cold.SetHead(103)
	if k := current(t, cold, "acme", ""); generationOf(t, k.ID()) != 3 {
		t.Errorf("a cold ring did not rotate: %s", k.ID())
	}
}

func TestCreationThatBreaksOff(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			in := newInstall(t)
			r := in.ring(RingOptions{})
			breaking := func(call string, _ KeyID) error {
				if call == "put" {
					return errStore
				}
				return nil
			}
			if when == "before" {
				in.store.fail = breaking
			} else {
				in.store.failed = breaking
			}
			if _, err := r.Current(t.Context(), "acme", ""); !errors.Is(err, errStore) {
				t.Fatalf("error %v", err)
			}
			in.store.fail, in.store.failed = nil, nil
			k := current(t, r, "acme", "")
			sealed, err := k.Seal(nil, []byte("x"), nil)
			if err != nil {
				t.Fatal(err)
			}
			again := current(t, in.ring(RingOptions{}), "acme", "")
			if got, err := again.Open(sealed, nil); err != nil || string(got) != "x" || again.ID() != k.ID() {
				t.Errorf("another replica opened %q with %s: %v", got, again.ID(), err)
			}
		})
	}
}

func TestRingWithTheWrongKeys(t *testing.T) {
	in := newInstall(t)
	id := current(t, in.ring(RingOptions{}), "acme", "").ID()
	in.kek = testKEK(t)
	r := in.ring(RingOptions{})
	if _, err := r.ByID(t.Context(), "acme", id); !errors.Is(err, ErrUnwrap) {
		t.Errorf("ByID: error %v", err)
	}
	if _, err := r.Current(t.Context(), "acme", ""); !errors.Is(err, ErrUnwrap) {
		t.Errorf("Current: error %v", err)
	}
}

// A wrapped key that was put under another id must not open there.
func TestSwappedKeys(t *testing.T) {
	in := newInstall(t)
	r := in.ring(RingOptions{})
	a, b := keyRef{"acme", current(t, r, "acme", "s1").ID()}, keyRef{"beta", current(t, r, "beta", "s1").ID()}
	in.store.keys[a], in.store.keys[b] = in.store.keys[b], in.store.keys[a]
	if _, err := in.ring(RingOptions{}).ByID(t.Context(), a.ws, a.id); !errors.Is(err, ErrUnwrap) {
		t.Errorf("error %v, want %v", err, ErrUnwrap)
	}
}

func TestByIDOfNonsense(t *testing.T) {
	in := newInstall(t)
	r := in.ring(RingOptions{})
	tag := strings.Repeat("a", idLength)
	for _, id := range []KeyID{"", ".", ".1", KeyID(tag), KeyID(tag + ".0"), KeyID(tag + ".01"), KeyID(tag + ".-1"), KeyID(tag + ".+1"),
		KeyID(tag + ".1.1"), KeyID(strings.ToUpper(tag) + ".1"), KeyID(tag + "a.1"), KeyID(tag[1:] + "/.1")} {
		if _, err := r.ByID(t.Context(), "acme", id); !errors.Is(err, ErrKeyUnknown) {
			t.Errorf("%q: error %v", id, err)
		}
	}
	if in.store.gets != 0 {
		t.Errorf("the store was asked %d times", in.store.gets)
	}
	if _, err := r.ByID(t.Context(), "acme", KeyID(tag+".1")); !errors.Is(err, ErrKeyUnknown) {
		t.Errorf("unknown key: error %v", err)
	}
}

func TestHotKeysNeedNoStore(t *testing.T) {
	in := newInstall(t)
	r := in.ring(RingOptions{Size: 64})
	k := current(t, r, "acme", "")
	in.store.gets = 0
	for i := range 1000 { // many more subjects than there is room for
		in.clock.advance(time.Millisecond)
		current(t, r, "acme", domain.SubjectTag(fmt.Sprint("s", i)))
		if got := current(t, r, "acme", ""); got != k {
			t.Fatalf("the workspace's key was dropped after %d subjects", i)
		}
	}
	if n := len(r.current.entries); n > 64 {
		t.Errorf("%d keys in memory, want at most 64", n)
	}
	if n := len(r.byID.entries); n > 64 {
		t.Errorf("%d keys by id in memory, want at most 64", n)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	in := newInstall(t)
	r := in.ring(RingOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	once := sync.Once{}
	in.store.between = func(string, KeyID) {
		once.Do(func() { close(entered); <-release })
	}
	var wg sync.WaitGroup
	wg.Go(func() { current(t, r, "acme", "") })
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Current(ctx, "acme", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(release)
	wg.Wait()
}

// Replicas create, rotate, erase and read at once; whatever happens, all agree
// on what a key id stands for.
func TestReplicasAgree(t *testing.T) {
	in := newInstall(t)
	var mu sync.Mutex
	sealed := map[KeyID][][]byte{}
	var wg sync.WaitGroup
	for i := range 4 {
		r := in.ring(RingOptions{Size: 4, MaxAge: time.Nanosecond})
		wg.Go(func() {
			for j := range 50 {
				in.clock.advance(time.Millisecond)
				subject := domain.SubjectTag(fmt.Sprint("s", j%3))
				k, err := r.Current(t.Context(), "acme", subject)
				if err != nil {
					t.Error(err)
					return
				}
				c, err := k.Seal(nil, []byte("x"), nil)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				sealed[k.ID()] = append(sealed[k.ID()], c)
				mu.Unlock()
				switch (i + j) % 10 {
				case 0:
					_, err = r.Rotate(t.Context(), "acme", subject)
				case 5:
					_, err = r.Erase(t.Context(), "acme", subject)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r, open := in.ring(RingOptions{}), 0
	for id, cs := range sealed {
		k, err := r.ByID(t.Context(), "acme", id)
		if errors.Is(err, ErrKeyErased) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cs {
			if got, err := k.Open(c, nil); err != nil || !bytes.Equal(got, []byte("x")) {
				t.Errorf("%s: %v", id, err)
			}
			open++
		}
	}
	t.Logf("%d keys, %d messages open", len(sealed), open)
}
