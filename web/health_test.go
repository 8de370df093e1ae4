package web_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket"
	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
)

func TestHealthyAndReady(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := start(t, t.Context(), &web.Server{Redis: rdb})
		for _, path := range []string{"/healthz", "/readyz"} {
			if got := s.get(path); got.status != 200 || got.body != `{"status":"ok"}` {
				t.Errorf("%s: got %+v", path, got)
			}
			if got := s.get(path, method("POST")); got.status != 405 || got.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("POST %s: got %+v", path, got)
			}
			if got := s.get(path, method("HEAD")); got.status != 200 || got.body != "" {
				t.Errorf("HEAD %s: got %+v", path, got)
			}
		}
	})
}

func TestNotReadyWhileRedisIsAway(t *testing.T) {
	server := redistest.Real(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	defer rdb.Close()
	s := start(t, t.Context(), &web.Server{Redis: rdb})
	away := func(how string) {
		t.Helper()
		var got answer
		var took time.Duration
		redistest.Eventually(t, 10*time.Second, "/readyz to be 503", func() bool { // An answer holds for a second.
			began := time.Now()
			got = s.get("/readyz")
			took = time.Since(began)
			return got.status == 503
		})
		if !strings.HasPrefix(got.body, `{"error":"Redis does not answer: `) {
			t.Errorf("%s: got %+v", how, got)
		}
		if took > 3*time.Second {
			t.Errorf("%s: the answer took %v", how, took)
		}
		if got := s.get("/healthz"); got.status != 200 {
			t.Errorf("%s: /healthz: got %+v", how, got)
		}
	}
	back := func() {
		t.Helper()
		redistest.Eventually(t, 10*time.Second, "/readyz to be 200 again", func() bool { return s.get("/readyz").status == 200 })
	}
	server.Pause()
	away("Redis hangs")
	server.Continue()
	back()
	server.Stop()
	away("Redis is stopped")
	server.Start()
	back()
	if err := rdb.Ping(context.Background()).Err(); err != nil {
		t.Error(err)
	}
}

func TestNotReadyBeforeTheSocketsAre(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		sockets := &socket.Server{Redis: rdb}
		s := start(t, t.Context(), &web.Server{Redis: rdb, Socket: sockets})
		if got := s.get("/readyz"); got.status != 503 || !strings.Contains(got.body, "sockets") {
			t.Errorf("before Run: got %+v", got)
		}
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- sockets.Run(ctx) }()
		redistest.Eventually(t, 10*time.Second, "/readyz to be 200", func() bool { return s.get("/readyz").status == 200 })
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if got := s.get("/readyz"); got.status != 503 {
			t.Errorf("after Run: got %+v", got)
		}
	})
}

func TestNotReadyForAMomentBeforeItStops(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const delay = time.Second
		s := start(t, t.Context(), &web.Server{Redis: rdb, ShutdownDelay: delay})
		redistest.Eventually(t, 10*time.Second, "/readyz to be 200", func() bool { return s.get("/readyz").status == 200 })
		began, stopped := time.Now(), make(chan error)
		go func() { stopped <- s.stop() }()
		redistest.Eventually(t, delay, "/readyz to be 503", func() bool {
			got := s.get("/readyz")
			return got.status == 503 && got.body == `{"error":"stopping"}`
		})
		if got := s.get("/healthz"); got.status != 200 {
			t.Errorf("/healthz while it stops: got %+v", got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < delay {
			t.Errorf("it stopped after %v", took)
		}
	})
}

// A Redis that refuses writes is an outage, whyever it does.
func TestNotReadyWhileRedisTakesNoWrites(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	s := start(t, t.Context(), &web.Server{Redis: rdb})
	for setting, want := range map[string]string{"maxmemory": "the memory of Redis is full", "min-replicas-to-write": "NOREPLICAS"} {
		if err := rdb.ConfigSet(t.Context(), setting, "1").Err(); err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, 10*time.Second, "/readyz to be 503 for "+setting, func() bool {
			got := s.get("/readyz")
			return got.status == 503 && strings.Contains(got.body, "Redis takes no writes: ") && strings.Contains(got.body, want)
		})
		if err := rdb.ConfigSet(t.Context(), setting, "0").Err(); err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, 10*time.Second, "/readyz to be 200 again", func() bool { return s.get("/readyz").status == 200 })
	}
}

// A Redis may become a replica while the program runs.
func TestNotReadyWhileRedisIsAReplica(t *testing.T) {
	s := start(t, t.Context(), &web.Server{Redis: redistest.Replica(t).Client(t)})
	if got := s.get("/readyz"); got.status != 503 || !strings.Contains(got.body, "Redis takes no writes: ") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
