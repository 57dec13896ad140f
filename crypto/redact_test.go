package crypto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// However a secret is printed, nothing but its kind shows.
func TestSecretsPrintAsRedacted(t *testing.T) {
	d := newDir(t)
	ring, err := NewKeyRing(d.KEK(), d.Secret(), newMemStore(), RingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := current(t, ring, "acme", "")
	secret := d.Secret()
	rows := []struct {
		name  string
		value any
	}{
		{"service secret", secret}, {"service secret by pointer", &secret}, {"signing key", d.Signer()}, {"key-encryption key", d.KEK()},
		{"data key", key}, {"search key", secret.SearchKey("acme", 1)}, {"key ring", ring}, {"key directory", d}, {"within a struct", struct{ S Secret }{secret}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%o", "%U"} {
				text := fmt.Sprintf(verb, row.value)
				if !strings.Contains(text, "redacted") {
					t.Errorf("%s prints %.60s", verb, text)
				}
				out.WriteString(text)
			}
			b, err := json.Marshal(row.value)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(b)
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", row.value)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", row.value)
			out.Write(log.Bytes())
			if n := strings.Count(log.String(), "redacted"); n != 2 {
				t.Errorf("logs %s", log.String())
			}
			for _, leak := range []string{hex.EncodeToString(d.Signer().key.Seed()), fmt.Sprint([]byte(d.Signer().key.Seed()))[1:60], operatorToken(t, d)} {
				if strings.Contains(out.String(), leak) {
					t.Error("a secret shows")
				}
			}
		})
	}
}

// Errors name files and keys, never what is in them.
func TestErrorsQuoteNoSecrets(t *testing.T) {
	d := newDir(t)
	signing := filepath.Join(signingName, d.Signer().KeyID()+jwkSuffix)
	for _, name := range []string{kekName, operatorName, secretName, signing} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			if err := os.CopyFS(path, os.DirFS(d.Path())); err != nil {
				t.Fatal(err)
			}
			makePrivate(t, path)
			b, err := os.ReadFile(filepath.Join(path, name))
			if err != nil {
				t.Fatal(err)
			}
			for cut := 1; cut < len(b)-1; cut += 7 {
				write(name, string(b[cut:]))(t, path)
				_, _, err := OpenDir(path, OpenOptions{})
				if err == nil {
					t.Fatalf("opened with %d bytes missing", cut)
				}
				secret := strings.TrimSpace(string(b[cut:]))
				for i := 0; i+16 <= len(secret); i++ {
					if piece := secret[i : i+16]; strings.Contains(err.Error(), piece) && !strings.Contains(signing+d.KEK().ID(), piece) {
						t.Fatalf("error quotes the file: %v", err)
					}
				}
			}
		})
	}
}
