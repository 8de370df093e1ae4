package web

import (
	"net/http"
	"strings"

	"github.com/queuerun/queuerun/web/client"
)

// The paths that a program's own handler never sees.
const (
	socketPath    = "/socket"
	clientPath    = "/queuerun.js"
	dashboardPath = "/monitoring"
	healthPath    = "/healthz"
	readyPath     = "/readyz"
	metricsPath   = "/metrics"
)

// routes is not an http.ServeMux, because that one answers some requests itself:
// it would redirect a path like //a before the program's own handler sees it.
func (s *Server) routes() http.Handler {
	app := s.piecesInTime(s.app())
	library := answerInTime(client.Handler())
	dashboard, metrics := answerInTime(s.Dashboard), answerInTime(s.Metrics)
	health, ready := answerInTime(http.HandlerFunc(healthy)), answerInTime(http.HandlerFunc(s.ready))
	return bodyInTime(s.recovered(s.hosted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var h http.Handler
		switch path := r.URL.Path; {
		case path == socketPath:
			h = s.Socket
		case path == clientPath:
			h = library
		case path == dashboardPath || strings.HasPrefix(path, dashboardPath+"/"):
			h = dashboard
		case path == healthPath:
			h = health
		case path == readyPath:
			h = ready
		case path == metricsPath:
			h = metrics
		default:
			h = app
		}
		if h == nil {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	}))))
}
