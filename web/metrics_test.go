package web_test

import (
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
)

func TestMetricsTellAboutQueuesAndProcess(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		enqueue(t, rdb, "orders")
		enqueue(t, rdb, "orders")
		s := start(t, t.Context(), &web.Server{Redis: rdb, Metrics: &web.Metrics{Redis: rdb, Access: open}})
		got := s.get("/metrics")
		for _, want := range []string{
			`queuerun_queue_jobs{queue="orders",state="pending"} 2`,
			`queuerun_queue_jobs{queue="orders",state="archived"} 0`,
			`queuerun_queue_failed_total{queue="orders"} 0`,
			`queuerun_queue_latency_seconds{queue="orders"} `,
			"go_goroutines ",
		} {
			if !strings.Contains(got.body, want) {
				t.Errorf("the metrics lack %s:\n%d %s", want, got.status, got.body)
			}
		}
	})
}

func TestMetricsOfTheProcessDoNotNeedRedis(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer rdb.Close()
	s := start(t, t.Context(), &web.Server{Metrics: &web.Metrics{Redis: rdb, Access: open}})
	if got := s.get("/metrics"); got.status != 200 || !strings.Contains(got.body, "go_goroutines ") {
		t.Errorf("got %+v", got)
	}
}

func TestMetricsAreGuardedLikeTheDashboard(t *testing.T) {
	rdb := redistest.Embedded(t)
	nobody := start(t, t.Context(), &web.Server{Redis: rdb, Metrics: &web.Metrics{Redis: rdb}})
	if got := nobody.get("/metrics", password("")); got.status != 403 {
		t.Errorf("without an Access: got %d", got.status)
	}
	closed := start(t, t.Context(), &web.Server{Redis: rdb, Metrics: &web.Metrics{Redis: rdb, Access: withPassword("open sesame")}})
	if got := closed.get("/metrics"); got.status != 401 {
		t.Errorf("without the password: got %d", got.status)
	}
	if got := closed.get("/metrics", password("open sesame"), host("app.example.com")); got.status != 200 {
		t.Errorf("with the password: got %d", got.status)
	}
}

// Whoever writes to the same Redis may have queues whose names are no labels. They are
// told as well, and apart, and take nothing else with them.
func TestMetricsOfQueuesWithAnyName(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		enqueue(t, rdb, "orders")
		if err := rdb.SAdd(t.Context(), "asynq:queues", "bad\xffname", "bad\xfename").Err(); err != nil {
			t.Fatal(err)
		}
		s := start(t, t.Context(), &web.Server{Redis: rdb, Metrics: &web.Metrics{Redis: rdb, Access: open}})
		got := s.get("/metrics")
		for _, want := range []string{
			`queuerun_queue_jobs{queue="orders",state="pending"} 1`,
			`queuerun_queue_jobs{queue="\"bad\\xffname\"",state="pending"} 0`,
			`queuerun_queue_jobs{queue="\"bad\\xfename\"",state="pending"} 0`,
		} {
			if !strings.Contains(got.body, want) {
				t.Errorf("the metrics lack %s:\n%d %s", want, got.status, got.body)
			}
		}
	})
}
