package http

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// ErrPlainHTTP says that a listener without TLS could be reached from outside.
var ErrPlainHTTP = errors.New("plain HTTP is only served on loopback; give a certificate and key, or --insecure behind a proxy that does TLS")

// certificate is a key pair that follows its files, so that renewing a
// certificate needs no restart.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string    // modification times of the pair in use
	looked  time.Time // when the files were last looked at
	broken  func(error)
}

// newCertificate reads the pair. broken is told when a changed pair can't be
// used; the pair before stays in use then.
func newCertificate(certFile, keyFile string, broken func(error)) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, broken: broken}
	stamp, err := c.modified()
	if err != nil {
		return nil, fmt.Errorf("read the TLS certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the TLS certificate %s with key %s: %w", certFile, keyFile, err)
	}
	c.current, c.stamp, c.looked = &pair, stamp, time.Now()
	return c, nil
}

func (c *certificate) modified() (string, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return "", err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return "", err
	}
	return cert.ModTime().String() + key.ModTime().String(), nil
}

// get answers the pair for a handshake and looks at the files at most once a
// second.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < time.Second {
		return c.current, nil
	}
	c.looked = time.Now()
	stamp, err := c.modified()
	if err == nil && stamp == c.stamp {
		return c.current, nil
	}
	pair, loadErr := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err = errors.Join(err, loadErr); err != nil {
		c.broken(fmt.Errorf("the changed TLS certificate can't be used; the one before stays in use: %w", err))
		return c.current, nil
	}
	c.current, c.stamp = &pair, stamp
	return c.current, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// loopback reports whether an address can only be reached from this machine.
func loopback(a net.Addr) bool {
	if a.Network() == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
