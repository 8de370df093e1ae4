package site

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Origin is where a page is from. Two are the same if they are equal.
type Origin struct {
	Scheme string // in lower case
	Host   string // in lower case, an IPv6 address in brackets
	Port   string // also when it is the scheme's own; empty for schemes that have none
}

// ParseOrigin reads an origin as people and browsers write it: a scheme, a host and
// perhaps a port. Case, the scheme's own port and one "/" at the end make no
// difference. It is an error if no browser would ever send it, and says what would be
// understood.
func ParseOrigin(s string) (Origin, error) {
	if s == "" {
		return Origin{}, errors.New("an origin is empty")
	}
	if !strings.Contains(s, "://") {
		return Origin{}, fmt.Errorf("origin %q has no scheme: write https://… or http://… in front", s)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Origin{}, fmt.Errorf("origin %q is malformed: want a scheme, a host and perhaps a port, such as https://app.example.com", s)
	}
	if u.Scheme == "ws" || u.Scheme == "wss" {
		return Origin{}, fmt.Errorf("origin %q: pages are from http:// and https://, whatever their sockets are", s)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return Origin{}, fmt.Errorf("origin %q has more than a scheme, a host and a port", s)
	}
	host, err := ParseHost(u.Hostname())
	if err != nil {
		return Origin{}, fmt.Errorf("origin %q: %w", s, err)
	}
	port, err := portOf(u)
	if err != nil {
		return Origin{}, fmt.Errorf("origin %q: %w", s, err)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return Origin{u.Scheme, host, port}, nil
}

// defaultPorts are those that browsers leave out.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

func portOf(u *url.URL) (string, error) {
	port := u.Port()
	if port == "" {
		return defaultPorts[u.Scheme], nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return strconv.FormatUint(n, 10), nil
}

// String is the origin as browsers send it.
func (o Origin) String() string {
	s := o.Scheme + "://" + o.Host
	if o.Port != defaultPorts[o.Scheme] {
		s += ":" + o.Port
	}
	return s
}

// Serves reports whether a request for the host, as its Host header has it, is for
// the origin. The scheme is taken to be the origin's, so "app.example.com:443" is
// https://app.example.com and not http://app.example.com.
func (o Origin) Serves(host string) bool {
	of, err := ParseOrigin(o.Scheme + "://" + host)
	return err == nil && of == o
}
