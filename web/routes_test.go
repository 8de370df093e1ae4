package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/web"
)

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name+" "+r.URL.Path) })
}

func TestAppSeesAllPathsButTheBuiltInOnes(t *testing.T) {
	s := start(t, t.Context(), &web.Server{App: named("app"), Socket: named("socket"), Dashboard: named("dashboard"), Metrics: named("metrics")})
	for path, want := range map[string]string{
		"/":                   "app /",
		"/socket":             "socket /socket",
		"/socket/":            "app /socket/",
		"/sockets":            "app /sockets",
		"/queuerun.js/":       "app /queuerun.js/",
		"/monitoring":         "dashboard /monitoring",
		"/monitoring/queues":  "dashboard /monitoring/queues",
		"/monitorings":        "app /monitorings",
		"/metrics":            "metrics /metrics",
		"/metrics/x":          "app /metrics/x",
		"/healthz":            `{"status":"ok"}`,
		"/readyz/x":           "app /readyz/x",
		"//a/../b":            "app //a/../b",
		"/a%2Fb":              "app /a/b",
		"/orders/?page=2&x=y": "app /orders/",
	} {
		if got := s.get(path); got.body != want || got.status != 200 {
			t.Errorf("%s: got %d %q, want %q", path, got.status, got.body, want)
		}
	}
}

func TestWhatAServerDoesNotHaveIsNotFound(t *testing.T) {
	s := start(t, t.Context(), &web.Server{})
	for _, path := range []string{"/", "/socket", "/monitoring", "/monitoring/api/queues", "/metrics"} {
		if got := s.get(path); got.status != 404 {
			t.Errorf("%s: got %d", path, got.status)
		}
	}
}

func TestTheClientLibraryIsAlwaysThere(t *testing.T) {
	s := start(t, t.Context(), &web.Server{App: named("app")})
	got := s.get("/queuerun.js")
	if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/javascript") || !strings.Contains(got.body, "export class Client") {
		t.Errorf("%d %v, %d bytes", got.status, got.header, len(got.body))
	}
}
