package web

import (
	"fmt"
	"net/http"

	"github.com/queuerun/queuerun/jobs/site"
)

// hosted lets through requests for a name that the server has. A page of any site can
// make a name of its own mean this server, or one that only its visitor can reach (DNS
// rebinding), and then read the answers as its own: its requests still have that name.
// Nobody can do that to an address, or to localhost.
func (s *Server) hosted(h http.Handler) http.Handler {
	named := map[string]bool{}
	for _, host := range s.Hosts {
		named[site.HostOf(host)] = true
	}
	if len(named) == 0 || named["*"] {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := site.HostOf(r.Host)
		if host != "" && !site.IsAddress(host) && !site.IsLocalhost(host) && !named[host] {
			s.strangeHosts.Note(s.logger(), "refused a request for a host that is not allowed (Server.Hosts, ALLOWED_HOSTS)",
				"host", fmt.Sprintf("%.100s", r.Host), "client", r.RemoteAddr)
			writeError(w, http.StatusForbidden, fmt.Sprintf("the host %.100q is not allowed here", r.Host))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// CheckHosts returns an error about the first of the hosts that no request ever has:
// one with a scheme or a port, in Unicode, or with a "*" for a part of a name.
func CheckHosts(hosts []string) error {
	for _, host := range hosts {
		if host == "*" {
			continue
		}
		if _, err := site.ParseHost(host); err != nil {
			return err
		}
	}
	return nil
}
