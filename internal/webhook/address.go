package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of problems of an endpoint's URL. They are stable.
const (
	CodeURLMalformed = "WEBHOOK_URL_MALFORMED" // it is no absolute URL, or has user information or a fragment
	CodeURLNotHTTPS  = "WEBHOOK_URL_NOT_HTTPS" // it is not https
	CodeURLPrivate   = "WEBHOOK_URL_PRIVATE"   // it names an address that is not public
)

// maxURL is the most bytes of an endpoint's URL.
const maxURL = 1000

// CheckURL refuses URLs that nothing is delivered to. The address of a host name is
// checked when a connection is made. private permits http, loopback and private addresses.
// The error is an *order.Invalid.
func CheckURL(text string, private bool) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL || parsed.Hostname() == "" || parsed.Opaque != "":
		return wrongURL(CodeURLMalformed, fmt.Sprintf("must be an absolute URL of at most %d bytes", maxURL))
	case parsed.User != nil:
		return wrongURL(CodeURLMalformed, "must have no user and no password: the signature proves who calls")
	case parsed.Fragment != "" || strings.Contains(text, "#"):
		return wrongURL(CodeURLMalformed, "must have no fragment")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || !private):
		return wrongURL(CodeURLNotHTTPS, "must be https")
	}
	host := strings.TrimSuffix(strings.ToLower(parsed.Hostname()), ".")
	if !private && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return wrongURL(CodeURLPrivate, "names this machine")
	}
	if address, err := netip.ParseAddr(host); err == nil {
		if refusal := refuse(address, private); refusal != "" {
			return wrongURL(CodeURLPrivate, refusal)
		}
	}
	return nil
}

func wrongURL(code, text string) error {
	return &order.Invalid{Problems: []order.Problem{{Code: code, Field: "url", Message: "url " + text}}}
}

// addressError is why no connection was made.
type addressError struct{ text string }

func (e *addressError) Error() string { return e.text }

// control is the Control of a dialer. It sees the address that a connection is made to,
// after names are resolved, so a name that changes its address does not help.
func control(private bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		parsed, err := netip.ParseAddrPort(address)
		if err != nil {
			return &addressError{"is no IP address"}
		}
		if refusal := refuse(parsed.Addr(), private); refusal != "" {
			return &addressError{refusal}
		}
		return nil
	}
}

// refuse says why nothing is delivered to an address; "" if it may be.
func refuse(address netip.Addr, private bool) string {
	if embedded, is := unwrap(address); is {
		address = embedded
	}
	switch {
	case public(address), private && near(address):
		return ""
	case near(address):
		return "names a loopback or private address"
	}
	return "names an address that is not public"
}

// nat64 is the prefix under which a translator reaches IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// unwrap returns the IPv4 address that an IPv6 address stands for.
func unwrap(address netip.Addr) (netip.Addr, bool) {
	if address.Is4In6() {
		return address.Unmap(), true
	}
	if nat64.Contains(address) {
		bytes := address.As16()
		return netip.AddrFrom4([4]byte(bytes[12:])), true
	}
	return address, false
}

// near reports whether an address is of this machine or of a private network.
func near(address netip.Addr) bool {
	return address.Zone() == "" && (address.IsLoopback() || address.IsPrivate() || shared.Contains(address))
}

// shared are the addresses between a provider and its customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// unicast6 has every public address of IPv6.
var unicast6 = netip.MustParsePrefix("2000::/3")

// special are the addresses that IANA's registries of special purpose addresses do not
// call globally reachable. IPv6 has others outside of unicast6.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// public reports whether an address is a global unicast address.
func public(address netip.Addr) bool {
	if address.Zone() != "" || address.Is6() && !unicast6.Contains(address) {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(address) {
			return false
		}
	}
	return true
}
