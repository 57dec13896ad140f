package consoletest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
)

// certificate makes one for this machine, which nobody vouches for.
func certificate(t *testing.T, folder string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, raw []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
}

// TestOverTLS signs in over TLS, where cookies go nowhere else.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	r := need(t)
	folder := t.TempDir()
	cert, key := certificate(t, folder)
	p, err := startProgram(r.binary, filepath.Join(folder, "data"), "--tls-cert", cert, "--tls-key", key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the certificate is our own
	t.Cleanup(transport.CloseIdleConnections)
	p.http = &http.Client{Transport: transport}
	if err := p.ready(); err != nil {
		t.Fatal(err)
	}
	operator, err := p.operator(t)
	if err != nil {
		t.Fatal(err)
	}
	o := openOffice(operator, "acme", "Acme over TLS", "Olga Owner")
	secure := *r
	secure.program = p
	b := secure.open(t)
	b.run(security.SetIgnoreCertificateErrors(true))
	b.signIn(o.people["owner"])
	session := b.cookie("__Secure-clawledger")
	if session == nil || !session.Secure || !session.HTTPOnly || session.SameSite != network.CookieSameSiteStrict {
		t.Errorf("the session's cookie is %+v", session)
	}
	b.visit(o.page("/account"))
	b.says("main", "Olga Owner")
	b.follow(".rail form[action$='/sign-out'] button")
	b.says("h1", "Signed out")
}
