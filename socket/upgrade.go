package socket

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
)

// checkUpgrade answers a request that is no handshake of RFC 6455, and returns
// whether it is one. Whatever else is done about a request comes after this: a client
// that can get no connection is nobody's user.
func checkUpgrade(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !websocket.IsWebSocketUpgrade(r):
		w.Header().Set("Upgrade", "websocket")
		refuse(w, http.StatusUpgradeRequired, "expected a WebSocket request")
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, "a WebSocket is opened with GET")
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		refuse(w, http.StatusBadRequest, "a WebSocket is opened with HTTP/1.1")
	case !hasToken(r.Header.Values("Sec-WebSocket-Version"), "13"):
		w.Header().Set("Sec-WebSocket-Version", "13")
		refuse(w, http.StatusBadRequest, "the version of the WebSocket protocol must be 13")
	case !isKey(r.Header.Get("Sec-WebSocket-Key")):
		refuse(w, http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
	default:
		return true
	}
	return false
}

// hasToken tells whether a header that is a list has a token in one of its lines.
func hasToken(lines []string, token string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		for part := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(part) == token {
				return true
			}
		}
		return false
	})
}

func isKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}
