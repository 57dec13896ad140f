package crypto

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files as they are in installations must be readable for ever.
func TestFrozenDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.CopyFS(path, os.DirFS(filepath.Join("testdata", "keys"))); err != nil {
		t.Fatal(err)
	}
	makePrivate(t, path)
	d, _, err := OpenDir(path, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join("testdata", "sealed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var frozen frozenSample
	if err := json.Unmarshal(b, &frozen); err != nil {
		t.Fatal(err)
	}
	if d.CheckValue() != frozen.CheckValue {
		t.Errorf("check value %s, want %s", d.CheckValue(), frozen.CheckValue)
	}
	if string(d.JWKS()) != frozen.JWKS {
		t.Errorf("JWKS %s, want %s", d.JWKS(), frozen.JWKS)
	}
	if _, _, err := d.Verifier().Verify([]byte(frozen.Record), RecordTyp); err != nil {
		t.Error(err)
	}
	store := newMemStore()
	store.keys[keyRef{"acme", frozen.Key}] = memKey{wrapped: frozen.Wrapped}
	r, err := NewKeyRing(d.KEK(), d.Secret(), store, RingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := r.Current(context.Background(), "acme", "subject")
	if err != nil || k.ID() != frozen.Key {
		t.Fatalf("key %s, error %v; want %s", k.ID(), err, frozen.Key)
	}
	for _, c := range [][]byte{frozen.Raw, frozen.Compressed} {
		if got, err := k.Open(c, []byte("place")); err != nil || !strings.HasPrefix(string(got), "plaintext ") {
			t.Errorf("opened %q, %v", got, err)
		}
	}
}

// frozenSample is testdata/sealed.json: things made with testdata/keys.
type frozenSample struct {
	CheckValue string
	JWKS       string
	Record     string
	Key        KeyID
	Wrapped    []byte
	Raw        []byte
	Compressed []byte
}
