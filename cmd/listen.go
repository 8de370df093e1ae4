package cmd

import (
	"fmt"
	"net"
	"strconv"
)

const defaultPort = "8080"

// loopback is the host that a program listens on in development: with an embedded
// Redis there is nothing to serve to others yet.
const loopback = "127.0.0.1"

// listen returns the listener for the roles, or nil if there is none.
func (a App) listen(set roles, s *store) (net.Listener, error) {
	if a.Listener != nil {
		return a.Listener, nil
	}
	addr := a.Addr
	if addr == "" {
		if !set.serve() {
			return nil, nil
		}
		addr = joinAddr("", "", s.embedded != nil)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		// The error says "listen tcp", the address and why.
		return nil, err
	}
	return l, nil
}

// joinAddr makes an address of the host and the port, either of which may be empty.
func joinAddr(host, port string, development bool) string {
	if port == "" {
		port = defaultPort
	}
	if host == "" && development {
		host = loopback
	}
	return net.JoinHostPort(host, port)
}

func checkPort(port string) error {
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("PORT %q is not a number from 0 to 65535", port)
	}
	return nil
}

// onLoopback reports whether only this machine can reach the listener.
func onLoopback(l net.Listener) bool {
	addr, ok := l.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// pageURL returns the address to type into a browser on this machine.
func pageURL(l net.Listener) string {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return l.Addr().String()
	}
	host := addr.IP.String()
	if addr.IP.IsLoopback() || addr.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}
