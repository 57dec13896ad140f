package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/webhook"
)

// Limits of one attempt.
const (
	Timeout    = 10 * time.Second // from the look-up of the name to the end of the answer
	maxAnswer  = 64 << 10         // bytes of an answer that are read, and thrown away
	maxHeaders = 64 << 10
)

// userAgent is how a receiver knows who sends.
const userAgent = "ClawOffice-Ledger-Webhooks/1"

// Options tune a [Sender]. The zero value sends to public addresses, trusting
// the machine's certificate authorities.
type Options struct {
	// Allow lists ranges that may be sent to although they are not public. To a
	// loopback address within them plain HTTP may be sent.
	Allow []netip.Prefix

	Roots    *x509.CertPool // nil for the machine's
	Resolver *net.Resolver  // nil for the machine's
	Timeout  time.Duration  // 0 for [Timeout]
}

// Sender sends notifications. It is safe for concurrent use.
type Sender struct {
	rules   *rules
	client  *http.Client
	timeout time.Duration
}

// New makes a Sender.
func New(o Options) *Sender {
	r := newRules(o.Allow)
	dialer := r.dialer(o.Resolver)
	secure := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}
	transport := &http.Transport{
		Proxy:       nil, // an environment's proxy would make the connections, and its addresses would be checked instead
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, dialer, secure, network, address)
		},
		DisableKeepAlives:      true, // a connection for each attempt: none that broke unseen fails the next
		DisableCompression:     true, // nothing to unpack
		MaxResponseHeaderBytes: maxHeaders,
	}
	s := &Sender{rules: r, timeout: o.Timeout, client: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if s.timeout <= 0 {
		s.timeout = Timeout
	}
	return s
}

// errTLS marks a connection that could not be made a trusted one.
var errTLS = errors.New("no trusted connection")

func dialTLS(ctx context.Context, dialer *net.Dialer, config *tls.Config, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	raw, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // nothing was sent on it
		return nil, fmt.Errorf("%w: %w", errTLS, err)
	}
	return conn, nil
}

// Check says why notifications can't be sent to a URL, as a [*domain.Error]
// with the code webhook_url; nil if they can, as far as that shows without
// resolving names.
func (s *Sender) Check(address string) error { return s.rules.check(address) }

// signatures are what goes with a message: one of each key.
func signatures(id domain.DeliveryID, seconds string, body []byte, keys [][]byte) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(string(id) + "." + seconds + ".")) // a hash never fails to write
		_, _ = mac.Write(body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

// Send posts body to a URL as the notification id at that time, signed with
// each key, and says how it went. An error means that ctx ended first: whether
// the receiver took it is not known, and nothing should be concluded.
func (s *Sender) Send(ctx context.Context, address string, id domain.DeliveryID, at time.Time, body []byte, keys ...[]byte) (webhook.Outcome, error) {
	if s.Check(address) != nil { // the rules may have changed since it was registered
		return webhook.Outcome{Failure: webhook.FailedAddress}, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(limited, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return webhook.Outcome{Failure: webhook.FailedAddress}, ctx.Err()
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {userAgent}, "Webhook-Id": {string(id)},
		"Webhook-Timestamp": {seconds}, "Webhook-Signature": {signatures(id, seconds, body, keys)}}
	begun := time.Now()
	answer, err := s.client.Do(r)
	if err != nil && ctx.Err() != nil {
		return webhook.Outcome{}, ctx.Err()
	}
	out := outcome(answer, err)
	out.Millis = time.Since(begun).Milliseconds()
	return out, nil
}

// outcome reads of an answer what may leave this package. The status decides:
// an answer whose rest comes slowly, broken or not at all is one all the same.
func outcome(answer *http.Response, err error) webhook.Outcome {
	if err != nil {
		return webhook.Outcome{Failure: failure(err)}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	_ = answer.Body.Close()
	out := webhook.Outcome{Status: answer.StatusCode}
	if out.Status/100 != 2 {
		out.Failure, out.RetryAfter = webhook.FailedStatus, retryAfter(answer.Header.Get("Retry-After"))
	}
	return out
}

// failure sorts what went wrong. The error itself goes no further: it may hold
// the URL, or what the receiver sent.
func failure(err error) webhook.Failure {
	var slow net.Error
	switch {
	case errors.Is(err, errAddress):
		return webhook.FailedAddress
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return webhook.FailedTimeout
	case errors.Is(err, errTLS):
		return webhook.FailedTLS
	}
	return webhook.FailedConnect
}

// retryAfter reads a wish in seconds; dates are not read, since clocks differ.
func retryAfter(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
