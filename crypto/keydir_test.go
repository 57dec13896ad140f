package crypto

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newDir creates a key directory.
func newDir(t testing.TB) *Dir {
	t.Helper()
	d, created, err := OpenDir(filepath.Join(t.TempDir(), "keys"), OpenOptions{Create: true})
	if err != nil || !created {
		t.Fatalf("created %v, error %v", created, err)
	}
	return d
}

// reopen opens the directory as another replica does.
func reopen(t testing.TB, d *Dir) *Dir {
	t.Helper()
	again, created, err := OpenDir(d.Path(), OpenOptions{Create: true})
	if err != nil || created {
		t.Fatalf("created %v, error %v", created, err)
	}
	return again
}

func operatorToken(t testing.TB, d *Dir) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Path(), operatorName))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestDirKeepsItsKeys(t *testing.T) {
	d := newDir(t)
	again := reopen(t, d)
	if d.CheckValue() != again.CheckValue() || len(d.CheckValue()) != 22 {
		t.Errorf("check values %s and %s", d.CheckValue(), again.CheckValue())
	}
	if d.Secret().Tag("p") != again.Secret().Tag("p") {
		t.Error("another service secret")
	}
	if diff := cmp.Diff(d.Keys(), again.Keys()); diff != "" {
		t.Error(diff)
	}
	if _, _, err := again.Verifier().Verify(d.Signer().Sign(nil, []byte("{}")), RecordTyp); err != nil {
		t.Error(err)
	}
	wrapped, err := d.KEK().Wrap(t.Context(), []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.KEK().Unwrap(t.Context(), wrapped, nil); err != nil || string(got) != "key" {
		t.Errorf("unwrapped %q, %v", got, err)
	}
	if other := newDir(t); other.CheckValue() == d.CheckValue() || other.Secret().Tag("p") == d.Secret().Tag("p") {
		t.Error("two directories are the same")
	}
}

func TestOperatorToken(t *testing.T) {
	d := newDir(t)
	token := operatorToken(t, d)
	if !strings.HasPrefix(token, "clwop_") || len(token) != 6+43 {
		t.Errorf("a token of %d characters", len(token))
	}
	if !d.VerifyOperatorToken(token) || d.OperatorTokenHash() != Digest([]byte(token)) {
		t.Error("the token is refused")
	}
	for _, wrong := range []string{"", token + "\n", token[:48], strings.ToUpper(token), operatorToken(t, newDir(t))} {
		if d.VerifyOperatorToken(wrong) {
			t.Errorf("%d characters are taken for the token", len(wrong))
		}
	}
	other := reopen(t, d)
	if err := d.RotateOperatorToken(); err != nil {
		t.Fatal(err)
	}
	fresh := operatorToken(t, d)
	if d.VerifyOperatorToken(token) || !d.VerifyOperatorToken(fresh) {
		t.Error("the old token is still good here")
	}
	if err := other.Reload(); err != nil || other.VerifyOperatorToken(token) || !other.VerifyOperatorToken(fresh) {
		t.Errorf("the old token is still good on another replica: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	d := newDir(t)
	err := filepath.WalkDir(d.Path(), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(fileMode)
		if e.IsDir() {
			want = dirMode
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		if strings.HasPrefix(e.Name(), ".new-") || e.Name() == creatingName {
			t.Errorf("%s was left behind", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenKeysIsRefusedWhenOthersCanRead(t *testing.T) {
	signing := func(t *testing.T, d *Dir) string {
		return filepath.Join(d.Path(), signingName, d.Signer().KeyID()+jwkSuffix)
	}
	inDir := func(name string) func(*testing.T, *Dir) string {
		return func(_ *testing.T, d *Dir) string { return filepath.Join(d.Path(), name) }
	}
	rows := []struct {
		name string
		path func(*testing.T, *Dir) string
		mode fs.FileMode
		want error
	}{
		{"KEK readable by the group", inDir(kekName), 0o640, ErrPermissions},
		{"KEK readable by all", inDir(kekName), 0o604, ErrPermissions},
		{"operator token writable by the group", inDir(operatorName), 0o620, ErrPermissions},
		{"service secret readable by the group", inDir(secretName), 0o640, ErrPermissions},
		{"signing key readable by all", signing, 0o644, ErrPermissions},
		{"directory writable by the group", inDir("."), 0o770, ErrPermissions},
		{"directory of signing keys writable by all", inDir(signingName), 0o702, ErrPermissions},
		{"directory that others can list", inDir("."), 0o755, nil},
		{"file that nobody can write", inDir(kekName), 0o400, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d := newDir(t)
			path := row.path(t, d)
			if err := os.Chmod(path, row.mode); err != nil {
				t.Fatal(err)
			}
			_, _, err := OpenDir(d.Path(), OpenOptions{})
			if !errors.Is(err, row.want) {
				t.Fatalf("error %v, want %v", err, row.want)
			}
			if row.want != nil && (!strings.Contains(err.Error(), "chmod") || !strings.Contains(err.Error(), filepath.Clean(path))) {
				t.Errorf("the error does not tell what to do: %v", err)
			}
		})
	}
}

func TestDirThatIsNotWhole(t *testing.T) {
	d := newDir(t)
	rows := []struct {
		name   string
		change func(t *testing.T, path string)
		want   error
	}{
		{"no KEK", remove(kekName), ErrIncompleteKeys},
		{"no operator token", remove(operatorName), ErrIncompleteKeys},
		{"no service secret", remove(secretName), ErrIncompleteKeys},
		{"no signing keys", remove(signingName), ErrIncompleteKeys},
		{"no signing key", remove(filepath.Join(signingName, d.Signer().KeyID()+jwkSuffix)), ErrIncompleteKeys},
		{"KEK empty", write(kekName, ""), ErrDamagedKeys},
		{"KEK no keyset", write(kekName, "{}"), ErrDamagedKeys},
		{"another KEK", write(kekName, string(mustKEK(t))), ErrUnwrap},
		{"operator token too short", write(operatorName, "clwop_x"), ErrDamagedKeys},
		{"operator token without prefix", write(operatorName, randomText()), ErrDamagedKeys},
		{"service secret no JSON", write(secretName, "x"), ErrDamagedKeys},
		{"service secret of a later version", write(secretName, `{"v":2}`), ErrDamagedKeys},
		{"service secret changed", write(secretName, `{"v":1,"kek":"`+d.KEK().ID()+`","wrapped":"AAAA"}`), ErrUnwrap},
		{"service secret too large", write(secretName, strings.Repeat("x", maxKeyFile+1)), ErrDamagedKeys},
		{"signing key no JWK", write(filepath.Join(signingName, d.Signer().KeyID()+jwkSuffix), "x"), ErrDamagedKeys},
		{"signing key under another name", rename(filepath.Join(signingName, d.Signer().KeyID()+jwkSuffix),
			filepath.Join(signingName, rfc8037Kid+jwkSuffix)), ErrDamagedKeys},
		{"a directory for a file", func(t *testing.T, path string) {
			remove(kekName)(t, path)
			if err := os.Mkdir(filepath.Join(path, kekName), 0o700); err != nil {
				t.Fatal(err)
			}
		}, ErrDamagedKeys},
		{"unfinished files are passed over", write(filepath.Join(signingName, ".new-1.jwk"), "x"), nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			if err := os.CopyFS(path, os.DirFS(d.Path())); err != nil {
				t.Fatal(err)
			}
			makePrivate(t, path)
			row.change(t, path)
			before := listing(t, path)
			for _, create := range []bool{false, true} {
				if _, created, err := OpenDir(path, OpenOptions{Create: create}); !errors.Is(err, row.want) || created {
					t.Errorf("create %v: created %v, error %v; want %v", create, created, err, row.want)
				}
			}
			if diff := cmp.Diff(before, listing(t, path)); diff != "" {
				t.Errorf("opening changed the directory: %s", diff)
			}
		})
	}
}

func TestOpenWithoutKeys(t *testing.T) {
	empty := t.TempDir()
	for _, path := range []string{empty, filepath.Join(empty, "none")} {
		if _, _, err := OpenDir(path, OpenOptions{}); !errors.Is(err, ErrNoKeys) {
			t.Errorf("error %v, want %v", err, ErrNoKeys)
		}
	}
	if left := listing(t, empty); len(left) != 0 {
		t.Errorf("opening left %v", left)
	}
}

func TestCreatingInAnEmptyDirectoryThatIsThere(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, created, err := OpenDir(path, OpenOptions{Create: true}); err != nil || !created {
		t.Fatalf("created %v, error %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != dirMode {
		t.Errorf("mode %o, error %v", info.Mode().Perm(), err)
	}
}

// A crash at any point of the creation leaves something that the next start
// makes anew, and that nothing opens before.
func TestCreationThatBrokeOff(t *testing.T) {
	names := append([]string{creatingName}, keyFiles(true)...)
	for made := range names {
		t.Run(names[made], func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			if err := os.Mkdir(path, dirMode); err != nil {
				t.Fatal(err)
			}
			for _, name := range names[:made+1] {
				if name == signingName {
					if err := os.Mkdir(filepath.Join(path, name), dirMode); err != nil {
						t.Fatal(err)
					}
					name = filepath.Join(signingName, "x"+jwkSuffix)
				}
				write(name, "half")(t, path)
			}
			if _, _, err := OpenDir(path, OpenOptions{}); !errors.Is(err, ErrNoKeys) {
				t.Errorf("opened: error %v, want %v", err, ErrNoKeys)
			}
			d, created, err := OpenDir(path, OpenOptions{Create: true})
			if err != nil || !created {
				t.Fatalf("created %v, error %v", created, err)
			}
			reopen(t, d)
		})
	}
}

func TestManyCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "keys")
	var mu sync.Mutex
	var values []string
	creations := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			d, created, err := OpenDir(path, OpenOptions{Create: true})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if created {
				creations++
			}
			values = append(values, d.CheckValue()+d.Signer().KeyID()+string(d.OperatorTokenHash()))
		})
	}
	wg.Wait()
	if slices.Sort(values); creations != 1 || len(slices.Compact(values)) != 1 {
		t.Errorf("%d creations, values %v", creations, values)
	}
}

func TestDirWithARemoteKEK(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	kek := renamed{testKEK(t), "remote:acme"}
	d, _, err := OpenDir(path, OpenOptions{Create: true, KEK: kek})
	if err != nil {
		t.Fatal(err)
	}
	if there, err := exists(filepath.Join(path, kekName)); there || err != nil {
		t.Errorf("a local KEK was made as well: %v", err)
	}
	if again, _, err := OpenDir(path, OpenOptions{KEK: kek}); err != nil || again.CheckValue() != d.CheckValue() {
		t.Error(err)
	}
	if _, _, err := OpenDir(path, OpenOptions{KEK: renamed{testKEK(t), "remote:beta"}}); !errors.Is(err, ErrUnwrap) {
		t.Errorf("another KEK: error %v", err)
	}
	if _, _, err := OpenDir(path, OpenOptions{KEK: unreachable{kek}}); !errors.Is(err, errUnreachable) {
		t.Errorf("a KEK that is down: error %v", err)
	}
}

func mustKEK(t testing.TB) []byte {
	t.Helper()
	b, err := generateKEK()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.RemoveAll(filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func write(name, content string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.WriteFile(filepath.Join(path, name), []byte(content), fileMode); err != nil {
			t.Fatal(err)
		}
	}
}

func rename(from, to string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.Rename(filepath.Join(path, from), filepath.Join(path, to)); err != nil {
			t.Fatal(err)
		}
	}
}

// makePrivate sets the modes that copying does not keep.
func makePrivate(t testing.TB, path string) {
	t.Helper()
	err := filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return errors.Join(err, os.Chmod(path, dirMode))
		}
		return os.Chmod(path, fileMode)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// listing is what is in a directory, other than its lock.
func listing(t testing.TB, path string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == path || e.Name() == lockName {
			return err
		}
		var b []byte
		if !e.IsDir() {
			if b, err = os.ReadFile(p); err != nil {
				return err
			}
		}
		files[strings.TrimPrefix(p, path)] = string(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
