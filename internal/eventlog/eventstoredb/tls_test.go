package eventstoredb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/eventlog/eventstoredb"
)

// selfSigned makes a certificate for loopback and the file that trusts it.
func selfSigned(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "esdbface test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, file
}

func TestTLSAndCredentials(t *testing.T) {
	t.Parallel()
	config, ca := selfSigned(t)
	srv := serve(t, openSQLite(t), esdbface.Options{TLS: config, User: "ledger", Password: "p@ss:word"})
	connection := func(user, password string) string {
		u := url.URL{Scheme: "esdb", Host: srv.address, RawQuery: url.Values{"tlsCaFile": {ca}}.Encode()}
		if user != "" {
			u.User = url.UserPassword(user, password)
		}
		return u.String()
	}
	log := open(t, connection("ledger", "p@ss:word"))
	if _, err := log.Append(t.Context(), "a-1", eventlog.NoStream, []eventlog.Event{event("a.v1", "x")}); err != nil {
		t.Fatalf("append with the right credentials: %v", err)
	}
	if got := readAll(t, log, eventlog.Query{}); len(got) != 1 {
		t.Errorf("read %d records, want 1", len(got))
	}
	rows := []struct{ name, user, password string }{
		{"wrong password", "ledger", "password"},
		{"wrong user", "admin", "p@ss:word"},
		{"no credentials", "", ""},
	}
	for _, row := range rows {
		ctx, cancel := context.WithTimeout(t.Context(), guard)
		_, err := eventstoredb.Open(ctx, connection(row.user, row.password), eventstoredb.Options{})
		if !errors.Is(err, eventlog.ErrUnavailable) || ctx.Err() != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		cancel()
	}
}

func TestConnectionStrings(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, text string }{
		{"another scheme", "http://localhost:2113"},
		{"no host", "esdb://"},
		{"a bad port", "esdb://user:s3cret@localhost:port"},
		{"a control character", "esdb://user:s3cret@local\x7fhost:2113"},
		{"credentials without TLS", "esdb://user:s3cret@localhost:2113?tls=false"},
		{"a certificate without its key", "esdb://user:s3cret@localhost:2113?userCertFile=/x"},
		{"followers preferred", "esdb://user:s3cret@localhost:2113?nodePreference=follower"},
		{"any node", "esdb://user:s3cret@localhost:2113?nodePreference=random"},
		{"read-only replicas preferred", "esdb://user:s3cret@localhost:2113?nodePreference=readOnlyReplica"},
		{"a missing CA file", "esdb://user:s3cret@localhost:2113?tlsCaFile=/does/not/exist"},
	}
	for _, row := range rows {
		_, err := eventstoredb.Open(t.Context(), row.text, eventstoredb.Options{})
		if !errors.Is(err, eventlog.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", row.name, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error quotes the password: %v", row.name, err)
		}
	}
}
