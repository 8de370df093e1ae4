package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
)

func password(p string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth("anyone", p) }
}

// queueSize asks the dashboard's own interface for the jobs of a queue.
func queueSize(t *testing.T, s *running, queue string, change ...func(*http.Request)) int {
	t.Helper()
	got := s.get("/monitoring/api/queues", change...)
	var in struct {
		Queues []struct {
			Queue string
			Size  int
		}
	}
	if err := json.Unmarshal([]byte(got.body), &in); got.status != 200 || err != nil {
		t.Fatalf("got %d %s (%v)", got.status, got.body, err)
	}
	for _, q := range in.Queues {
		if q.Queue == queue {
			return q.Size
		}
	}
	return -1
}

func enqueue(t *testing.T, rdb *redis.Client, queue string) {
	t.Helper()
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask(queue, []byte("{}")), asynq.Queue(queue)); err != nil {
		t.Fatal(err)
	}
}

func TestDashboardShowsQueues(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		enqueue(t, rdb, "orders")
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
		if size := queueSize(t, s, "orders"); size != 1 {
			t.Errorf("the queue has %d jobs, want 1", size)
		}
		page := s.get("/monitoring")
		if page.status != 200 || !strings.Contains(page.body, "/monitoring/static/js/main") {
			t.Errorf("got %+v", page)
		}
		if page.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("headers: %v", page.header)
		}
		for _, path := range []string{"/monitoring/", "/monitoring/queues/orders", "/monitoring/api/redis_info", "/monitoring/api/servers"} {
			if got := s.get(path); got.status != 200 {
				t.Errorf("%s: got %d", path, got.status)
			}
		}
		if got := s.get("/monitoring/api/queues/orders:pause", method("POST")); got.status != 204 {
			t.Errorf("pause: got %+v", got)
		}
	})
}

func TestDashboardNeedsItsPassword(t *testing.T) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: withPassword("open sesame")}})
	for name, change := range map[string]func(*http.Request){
		"none":             func(*http.Request) {},
		"empty":            password(""),
		"wrong":            password("open sesam"),
		"longer":           password("open sesame "),
		"as the user name": func(r *http.Request) { r.SetBasicAuth("open sesame", "") },
	} {
		got := s.get("/monitoring/api/queues", change)
		if got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	// With the password it does not matter where one comes from.
	if size := queueSize(t, s, "orders", password("open sesame"), host("app.example.com"), header("X-Forwarded-For", "203.0.113.7")); size != 1 {
		t.Errorf("the queue has %d jobs, want 1", size)
	}
}

func TestDashboardRefusesChangesFromOtherSites(t *testing.T) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	for name, dashboard := range map[string]*web.Dashboard{
		"open":          {Redis: rdb, Access: open},
		"with password": {Redis: rdb, Access: withPassword("open sesame")},
	} {
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: dashboard})
		for _, from := range []func(*http.Request){
			header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example"), header("Origin", "null"),
		} {
			got := s.get("/monitoring/api/queues/orders:pause", method("POST"), password("open sesame"), from)
			if got.status != 403 {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		got := s.get("/monitoring/api/queues/orders:pause", method("POST"), password("open sesame"), header("Sec-Fetch-Site", "same-origin"))
		if got.status != 204 {
			t.Errorf("%s: its own page: got %+v", name, got)
		}
		if err := asynq.NewInspectorFromRedisClient(rdb).UnpauseQueue("orders"); err != nil {
			t.Error(err)
		}
	}
}
