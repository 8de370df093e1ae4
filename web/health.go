package web

import (
	"context"
	"net/http"
	"time"
)

// readyTimeout is how long Redis may take to answer before the process counts as
// not ready. Load balancers ask about once in a few seconds.
const readyTimeout = time.Second

// healthy says that the process lives. It asks nothing else: a process that cannot
// reach Redis gets no better by being restarted.
func healthy(w http.ResponseWriter, r *http.Request) {
	if readOnly(w, r) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}

// ready says whether requests can be served now and in the next moment: whether
// the server is not about to stop, Redis answers, and the sockets take connections.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	if s.stopping.Load() {
		writeError(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.Redis.Ping(ctx).Err(); err != nil {
		writeError(w, http.StatusServiceUnavailable, "Redis does not answer: "+err.Error())
		return
	}
	if sockets, ok := s.Socket.(interface{ Ready() bool }); ok && !sockets.Ready() {
		writeError(w, http.StatusServiceUnavailable, "the sockets take no connections: starting or stopping")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readOnly refuses methods other than GET and HEAD.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	writeError(w, http.StatusMethodNotAllowed, "method not allowed")
	return false
}
