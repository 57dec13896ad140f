package webhook

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
)

func TestPermit(t *testing.T) {
	closed := newRules(nil)
	vpc := newRules([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")})
	for _, row := range []struct {
		name, address string
		rules         *rules
		want          bool
	}{
		{"public", "93.184.215.14", closed, true},
		{"public, version 6", "2606:2800:220:1::1", closed, true},
		{"public in the version 6 form", "::ffff:93.184.215.14", closed, true},
		{"just before private", "9.255.255.255", closed, true},
		{"just after private", "172.32.0.0", closed, true},
		{"this machine", "127.0.0.1", closed, false},
		{"all of loopback", "127.255.255.254", closed, false},
		{"unspecified", "0.0.0.0", closed, false},
		{"this network", "0.1.2.3", closed, false},
		{"private 10", "10.0.0.1", closed, false},
		{"private 172", "172.31.255.255", closed, false},
		{"private 192", "192.168.1.1", closed, false},
		{"provider's", "100.64.0.1", closed, false},
		{"metadata service", "169.254.169.254", closed, false},
		{"link-local", "169.254.0.1", closed, false},
		{"assignments", "192.0.0.192", closed, false},
		{"documentation", "203.0.113.7", closed, false},
		{"benchmarks", "198.19.0.1", closed, false},
		{"multicast", "224.0.0.1", closed, false},
		{"reserved", "240.0.0.1", closed, false},
		{"broadcast", "255.255.255.255", closed, false},
		{"loopback 6", "::1", closed, false},
		{"unspecified 6", "::", closed, false},
		{"link-local 6", "fe80::1", closed, false},
		{"with a zone", "fe80::1%eth0", closed, false},
		{"public with a zone", "2606:2800:220:1::1%eth0", closed, false},
		{"unique local", "fd00::1", closed, false},
		{"metadata service 6", "fd00:ec2::254", closed, false},
		{"site-local", "fec0::1", closed, false},
		{"multicast 6", "ff02::1", closed, false},
		{"mapped loopback", "::ffff:127.0.0.1", closed, false},
		{"mapped metadata", "::ffff:169.254.169.254", closed, false},
		{"compatible loopback", "::127.0.0.1", closed, false},
		{"NAT64 of loopback", "64:ff9b::7f00:1", closed, false},
		{"NAT64 of public", "64:ff9b::5db8:d70e", closed, false},
		{"local NAT64", "64:ff9b:1::7f00:1", closed, false},
		{"6to4 of private", "2002:a00:1::", closed, false},
		{"Teredo", "2001:0:7f00:1::", closed, false},
		{"documentation 6", "2001:db8::1", closed, false},
		{"allowed", "10.1.2.3", vpc, true},
		{"allowed in the version 6 form", "::ffff:10.1.2.3", vpc, true},
		{"beside what is allowed", "10.2.0.0", vpc, false},
		{"allowed 6", "fd00:1::5", vpc, true},
		{"beside what is allowed 6", "fd00:2::5", vpc, false},
		{"public although others are allowed", "93.184.215.14", vpc, true},
		{"loopback although others are allowed", "127.0.0.1", vpc, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.rules.permit(netip.MustParseAddr(row.address)); got != row.want {
				t.Errorf("%s: %v, want %v", row.address, got, row.want)
			}
		})
	}
	if closed.permit(netip.Addr{}) {
		t.Error("no address is permitted")
	}
	if err := closed.control("tcp4", "not an address", nil); !errors.Is(err, errAddress) {
		t.Errorf("what can't be read is let through: %v", err)
	}
}

func TestCheck(t *testing.T) {
	closed := New(Options{})
	local := New(Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}})
	for _, row := range []struct {
		name, url string
		sender    *Sender
		want      bool
	}{
		{"a name", "https://hooks.example.com/claw?x=1", closed, true},
		{"a port", "https://hooks.example.com:8443", closed, true},
		{"a public address", "https://93.184.215.14/", closed, true},
		{"a public address 6", "https://[2606:2800:220:1::1]/", closed, true},
		{"plain", "http://hooks.example.com/claw", closed, false},
		{"another scheme", "ftp://hooks.example.com", closed, false},
		{"a file", "file:///etc/passwd", closed, false},
		{"no host", "https:///claw", closed, false},
		{"opaque", "https:hooks.example.com", closed, false},
		{"a user", "https://user@hooks.example.com", closed, false},
		{"a password", "https://user:pw@hooks.example.com", closed, false},
		{"a fragment", "https://hooks.example.com/#top", closed, false},
		{"port 0", "https://hooks.example.com:0/", closed, false},
		{"port too large", "https://hooks.example.com:70000/", closed, false},
		{"port no number", "https://hooks.example.com:https/", closed, false},
		{"a broken escape", "https://hooks.example.com/%zz", closed, false},
		{"loopback", "https://127.0.0.1/", closed, false},
		{"metadata", "https://169.254.169.254/latest", closed, false},
		{"mapped", "https://[::ffff:127.0.0.1]/", closed, false},
		{"a zone", "https://[fe80::1%25eth0]/", closed, false},
		{"allowed", "https://10.0.0.1/", local, true},
		{"plain to allowed loopback", "http://127.0.0.1:9000/", local, true},
		{"plain to an allowed other", "http://10.0.0.1/", local, false},
		{"plain to a name", "http://localhost/", local, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.sender.Check(row.url)
			var refusal *domain.Error
			if (err == nil) != row.want || err != nil && (!errors.As(err, &refusal) || refusal.Code != "webhook_url" || strings.Contains(refusal.Detail, "pw")) {
				t.Errorf("%s: %v, want good %v", row.url, err, row.want)
			}
		})
	}
}
