package site

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// ParseHost reads the name or the address of a host, without a port and without
// brackets, and returns it as requests have it. It is an error if none ever has it.
func ParseHost(s string) (string, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.String(), nil
	}
	name := strings.ToLower(s)
	switch {
	case s == "":
		return "", errors.New("the host is empty")
	case strings.Contains(s, "*"):
		return "", fmt.Errorf(`host %q: a "*" does not stand for a part of a name: list the names, or "*" alone for all`, s)
	case strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0:
		return "", fmt.Errorf("host %q: write the name as browsers send it, in ASCII: each part that has other letters as xn--…", s)
	case strings.IndexFunc(name, notInName) >= 0:
		return "", fmt.Errorf("host %q is neither a name nor an address, without a port", s)
	case looksNumeric(name):
		return "", fmt.Errorf("host %q is not an address as browsers send it: write it in full", s)
	}
	return name, nil
}

func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
}

// looksNumeric reports whether browsers take a name for an IPv4 address, which they
// rewrite: its last part is a number.
func looksNumeric(name string) bool {
	name = strings.TrimSuffix(name, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// HostOf returns the host that a request's Host header names: in lower case, without
// a port, brackets, and a dot at the end.
func HostOf(header string) string {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// IsAddress reports whether a host is an IP address. No other site's name can be made
// to mean it.
func IsAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// IsLocalhost reports whether a host is localhost or a name below it, which browsers
// and resolvers keep on the machine.
func IsLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
