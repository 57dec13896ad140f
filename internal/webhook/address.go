package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"

	"github.com/clawoffice/ledger/domain"
)

// special lists the ranges within the public ones that are not for receivers
// on the internet (RFC 6890 and IANA's registries of special-purpose addresses).
func special() []netip.Prefix {
	texts := []string{
		"0.0.0.0/8",       // this network; 0.0.0.0 is this machine
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // shared with a provider (CGNAT)
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, and clouds' metadata services
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // relays of 6to4
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, and broadcast
		"2001::/23",       // protocol assignments: Teredo, which embeds IPv4, and others
		"2001:db8::/32",   // documentation
		"2002::/16",       // 6to4, which embeds IPv4
		"3fff::/20",       // documentation
	}
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// rules says which addresses may be connected to.
type rules struct {
	allowed []netip.Prefix // by the operator, whatever they are
	special []netip.Prefix
	global  netip.Prefix // IPv6 outside of it is not public: NAT64, unique local, link-local, loopback, multicast…
}

func newRules(allowed []netip.Prefix) *rules {
	return &rules{allowed: allowed, special: special(), global: netip.MustParsePrefix("2000::/3")}
}

// permit reports whether an address may be connected to. An IPv4 address in the
// IPv6 form is judged as the former.
func (r *rules) permit(a netip.Addr) bool {
	a = a.Unmap()
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case !a.IsValid() || a.Zone() != "":
		return false
	case slices.ContainsFunc(r.allowed, in):
		return true
	case a.Is6() && !r.global.Contains(a):
		return false
	}
	return !slices.ContainsFunc(r.special, in)
}

// loopback reports whether an address is this machine's and was allowed.
func (r *rules) loopback(a netip.Addr) bool { return a.Unmap().IsLoopback() && r.permit(a) }

// errAddress marks a connection that was refused because of its address.
var errAddress = errors.New("notifications may not be sent to this address")

// control is called for each socket that is about to connect, with the address
// that it connects to.
func (r *rules) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !r.permit(to.Addr()) {
		return fmt.Errorf("%w: %s %s", errAddress, network, address)
	}
	return nil
}

// check says why notifications can't be sent to a URL, nil if they can, as far
// as that shows without resolving names.
func (r *rules) check(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return refuse("The url can't be read. Give one such as https://hooks.example.com/claw.")
	}
	ip, notIP := netip.ParseAddr(u.Hostname())
	switch {
	case u.Hostname() == "" || u.Opaque != "":
		return refuse("The url names no host. Give one such as https://hooks.example.com/claw.")
	case u.User != nil:
		return refuse("The url holds a user name. Leave it out: notifications are signed instead.")
	case u.Fragment != "" || u.RawFragment != "":
		return refuse("The url has a fragment, which is never sent. Leave it out.")
	case !validPort(u.Port()):
		return refuse("The url's port is not one from 1 to 65535.")
	case notIP == nil && !r.permit(ip):
		return refuse("The url's address is not public. An operator can allow it with --webhook-allow.")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && notIP == nil && r.loopback(ip):
		return nil
	}
	return refuse("The url does not begin with https://, which notifications are sent by.")
}

// validPort takes no port for the scheme's.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func refuse(why string) error { return domain.Refuse(domain.Invalid, "webhook_url", "%s", why) }

// dialer connects, to permitted addresses alone.
func (r *rules) dialer(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{Timeout: Timeout, KeepAlive: -1, Control: r.control, Resolver: resolver}
}
