package socket

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/queuerun/queuerun/jobs/site"
)

const (
	anyOrigin = "*"
	// noOrigin is what browsers send for a page that has none, such as a file. Pages of
	// all sites can make such ones.
	noOrigin = "null"
)

// origins is a Server's list, as browsers send them.
type origins map[string]bool

func readOrigins(list []string) (origins, error) {
	read := make(origins, len(list))
	for _, s := range list {
		if s != anyOrigin && s != noOrigin {
			origin, err := site.ParseOrigin(s)
			if err != nil {
				return read, err
			}
			s = origin.String()
		}
		read[s] = true
	}
	return read, nil
}

// CheckOrigins returns an error about the first of the origins that no browser would
// ever send, and that would let nobody in: one without a scheme, with a path, in
// Unicode, or with a "*" for a part of a name.
func CheckOrigins(list []string) error {
	_, err := readOrigins(list)
	return err
}

// allowed tells whether a page of the request's origin may connect, and the log if it
// may not: the page itself is not told why.
func (h *hub) allowed(r *http.Request) bool {
	if h.origins.allow(r) {
		return true
	}
	h.foreign.Note(h.log, "refused a connection from a page of another site (Server.Origins, ALLOWED_ORIGINS)",
		"origin", fmt.Sprintf("%.100s", r.Header.Get("Origin")), "host", fmt.Sprintf("%.100s", r.Host), "https", secure(r))
	return false
}

func (o origins) allow(r *http.Request) bool {
	sent := r.Header.Values("Origin")
	switch {
	case len(sent) == 0 || len(sent) == 1 && sent[0] == "" || o[anyOrigin]: // Who is no browser sends none.
		return true
	case len(sent) > 1:
		return false
	case sent[0] == noOrigin:
		return o[noOrigin]
	}
	origin, err := site.ParseOrigin(sent[0])
	return err == nil && (o[origin.String()] || own(origin, r))
}

// own tells whether an origin is the one that the request is for. A page that came
// without TLS may be anybody's who is on the way, and is none of an https site; a page
// with TLS is always trusted, since the last of several proxies may say otherwise.
func own(origin site.Origin, r *http.Request) bool {
	return origin.Serves(r.Host) && !(origin.Scheme == "http" && secure(r))
}

// secure tells whether the client uses TLS, as this process or the first proxy knows. A
// page can set none of these headers, and the question is about pages.
func secure(r *http.Request) bool {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if proto == "" {
		proto = forwardedProto(r.Header.Get("Forwarded"))
	}
	switch strings.ToLower(strings.TrimSpace(proto)) {
	case "https", "wss":
		return true
	case "http", "ws":
		return false
	}
	return r.TLS != nil
}

// forwardedProto returns the proto of the first proxy in a Forwarded header (RFC 7239).
func forwardedProto(header string) string {
	first, _, _ := strings.Cut(header, ",")
	for pair := range strings.SplitSeq(first, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "proto") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
