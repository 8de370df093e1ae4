package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// local reports whether a request was made by somebody on this machine, for this
// machine.
//
// The address of the client does not say so alone. A page of any site can point
// its own host name at 127.0.0.1 (DNS rebinding) and then read the answers as its
// own; its requests still carry that name. And a proxy on this machine makes
// everybody look local; most say for whom they ask.
func local(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return loopbackName(r.Host) && nearby(r.RemoteAddr)
}

func loopbackName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

func nearby(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}
