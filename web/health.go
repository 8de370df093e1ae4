package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

// readyTimeout is how long Redis may take to answer before the process counts as
// not ready. Load balancers ask about once in a few seconds.
const readyTimeout = time.Second

// readyAge is how long an answer of Redis holds, whoever asks.
const readyAge = time.Second

// readiness is whether Redis does what is needed of it: run a script that writes.
type readiness struct {
	mu    sync.Mutex
	asked time.Time
	err   error
}

// ask returns what Redis refuses. Those who ask at the same time share the answer,
// so it does not end with the request of one of them.
func (r *readiness) ask(ctx context.Context, rdb redis.UniversalClient) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && time.Since(r.asked) < readyAge {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	r.err = redisstep.Write(ctx, rdb)
	r.asked = time.Now()
	return r.err
}

// healthy says that the process lives. It asks nothing else: a process that cannot
// reach Redis gets no better by being restarted.
func healthy(w http.ResponseWriter, r *http.Request) {
	if readOnly(w, r) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}

// ready says whether requests can be served now and in the next moment: whether
// the server is not about to stop, Redis takes writes, and the sockets take connections.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	if s.stopping.Load() {
		writeError(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	if err := s.redisReady.ask(r.Context(), s.Redis); err != nil {
		what := "Redis does not answer: "
		if redisstep.Answered(err) {
			what = "Redis takes no writes: "
		}
		writeError(w, http.StatusServiceUnavailable, what+err.Error())
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
