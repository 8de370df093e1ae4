package socket

import (
	"net/http"
	"strings"
)

const subprotocolHeader = "Sec-Websocket-Protocol"

// withSubprotocols returns a request whose subprotocols are in one line: a list may be
// spread over several (RFC 9110, 5.3), of which the upgrader reads the first only.
func withSubprotocols(r *http.Request) *http.Request {
	lines := r.Header.Values(subprotocolHeader)
	if len(lines) < 2 {
		return r
	}
	joined := *r
	joined.Header = r.Header.Clone()
	joined.Header.Set(subprotocolHeader, strings.Join(lines, ", "))
	return &joined
}
