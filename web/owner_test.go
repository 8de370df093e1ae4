package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
)

// neighbours are apps that share a Redis, each with a dashboard, metrics, a queue with
// a running job and a failed one, and a schedule.
type neighbours struct {
	rdb    *redis.Client
	boards map[string]*running // by prefix
}

func newNeighbours(t *testing.T, rdb *redis.Client, prefixes ...string) *neighbours {
	n := &neighbours{rdb, map[string]*running{}}
	ctx, stop := context.WithCancel(context.Background())
	for _, prefix := range prefixes {
		n.start(t, ctx, prefix)
	}
	t.Cleanup(stop) // before those who run are waited for
	return n
}

func (n *neighbours) start(t *testing.T, ctx context.Context, prefix string) {
	queue := jobs.NewQueue[string]("orders")
	handlers := []jobs.Handler{queue.Handle(func(ctx context.Context, s string) error {
		if s == "fails" {
			return errors.New("out of stock")
		}
		<-ctx.Done()
		return ctx.Err()
	}, jobs.Retries(0))}
	schedules := []scheduler.Schedule{scheduler.New("report", "@every 90m", func(context.Context) error { return nil })}
	client := jobs.NewClient(n.rdb)
	client.Prefix, client.Handles = prefix, append(handlers, scheduler.Handler(schedules))
	log := slog.New(slog.DiscardHandler)
	worker := &jobs.Worker{Redis: n.rdb, Prefix: prefix, Handlers: handlers, Logger: log, Drain: 1}
	ticker := &scheduler.Scheduler{Redis: n.rdb, Jobs: client, Schedules: schedules, Logger: log}
	for _, run := range []func(context.Context) error{worker.Run, ticker.Run} {
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		t.Cleanup(func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	for _, what := range []string{"fails", "holds", "of:" + prefix} {
		if _, err := queue.Push(client.Context(ctx), what, jobs.ID(what)); err != nil {
			t.Fatal(err)
		}
	}
	n.boards[prefix] = start(t, t.Context(), &web.Server{Redis: n.rdb,
		Dashboard: &web.Dashboard{Redis: n.rdb, Prefix: prefix, Access: open}, Metrics: &web.Metrics{Redis: n.rdb, Prefix: prefix, Access: open}})
}

func asynqName(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}

// A dashboard shows the queues, jobs, servers and schedules of its app, and the
// metrics its queues.
func TestDashboardShowsItsOwnApp(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		prefixes := []string{"", "shop", "shop:eu"}
		n := newNeighbours(t, rdb, prefixes...)
		enqueue(t, rdb, "queue") // a name that answers have as a field
		for prefix, board := range n.boards {
			own := asynqName(prefix, "orders")
			redistest.Eventually(t, patience, own+" to be shown as running", func() bool {
				return strings.Contains(board.ask("GET", "servers", nil).body, `"task_id":"holds"`)
			})
			redistest.Eventually(t, patience, own+" to have a schedule", func() bool {
				return strings.Contains(board.ask("GET", "scheduler_entries", nil).body, "report")
			})
			redistest.Eventually(t, patience, own+" to have failed", func() bool {
				return strings.Contains(board.ask("GET", "queues/"+own+"/archived_tasks", nil).body, `"id":"fails"`)
			})
			for address, want := range map[string][]string{
				"queues": {`"queue":"` + own + `"`}, "queue_stats": {`"` + own + `":`}, "servers": {`"queue":"` + own + `"`, `"` + own + `":`},
				"scheduler_entries": {`"id":"` + asynqName(prefix, "report") + `"`},
			} {
				got := board.ask("GET", address, nil)
				got.body = strings.ReplaceAll(got.body, `"task_type":"orders"`, "") // which is the queue without a prefix
				for _, part := range want {
					if got.status != 200 || !strings.Contains(got.body, part) {
						t.Errorf("%q: %s lacks %s: %d %s", prefix, address, part, got.status, got.body)
					}
				}
				for _, other := range prefixes {
					if other != prefix && (strings.Contains(got.body, `"`+asynqName(other, "orders")+`"`) || strings.Contains(got.body, `"`+asynqName(other, "report")+`"`)) {
						t.Errorf("%q: %s tells of %q: %s", prefix, address, other, got.body)
					}
				}
			}
			var servers struct{ Servers []struct{ ID string } }
			if err := json.Unmarshal([]byte(board.ask("GET", "servers", nil).body), &servers); err != nil || len(servers.Servers) != 1 {
				t.Errorf("%q: the servers are %v, %v", prefix, servers, err)
			}
			metrics := board.get("/metrics").body
			for _, other := range prefixes {
				if told := strings.Contains(metrics, `queue="`+asynqName(other, "orders")+`"`); told != (other == prefix) {
					t.Errorf("%q: the metrics tell of %q: %t", prefix, other, told)
				}
			}
		}
	})
}

// Whatever a dashboard is asked to do with another app's queues changes nothing.
func TestDashboardLeavesOtherAppsAlone(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		n := newNeighbours(t, rdb, "", "shop")
		inspector := asynq.NewInspectorFromRedisClient(rdb)
		is := func(queue, id, state string) func() bool {
			return func() bool {
				info, err := inspector.GetTaskInfo(queue, id)
				return err == nil && info.State.String() == state
			}
		}
		for _, queue := range []string{"orders", "shop:orders"} {
			redistest.Eventually(t, patience, queue+" to run", is(queue, "holds", "active"))
			redistest.Eventually(t, patience, queue+" to run", is(queue, "of:"+strings.TrimSuffix(strings.TrimSuffix(queue, "orders"), ":"), "active"))
			redistest.Eventually(t, patience, queue+" to have failed", is(queue, "fails", "archived"))
		}
		cancelled := rdb.Subscribe(t.Context(), "asynq:cancel")
		defer cancelled.Close()
		if _, err := cancelled.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		for prefix, other := range map[string]string{"": "shop:orders", "shop": "orders"} {
			board, own := n.boards[prefix], asynqName(prefix, "orders")
			foreign := map[string]string{"": "of:shop", "shop": "of:"}[prefix]
			selected := map[string]any{"task_ids": []string{"fails"}}
			for _, ask := range []struct {
				method, address string
				body            any
			}{
				{"GET", "queues/" + other, nil}, {"GET", "queues/" + other + "/archived_tasks", nil}, {"GET", "queues/" + other + "/tasks/fails", nil},
				{"GET", "queues/" + other + "/groups", nil}, {"DELETE", "queues/" + other, nil},
				{"POST", "queues/" + other + ":pause", nil}, {"POST", "queues/" + other + ":resume", nil},
				{"DELETE", "queues/" + other + "/archived_tasks/fails", nil}, {"POST", "queues/" + other + "/archived_tasks/fails:run", nil},
				{"DELETE", "queues/" + other + "/archived_tasks:delete_all", nil}, {"POST", "queues/" + other + "/archived_tasks:run_all", nil},
				{"POST", "queues/" + other + "/archived_tasks:batch_delete", selected}, {"POST", "queues/" + other + "/archived_tasks:batch_run", selected},
				{"POST", "queues/" + other + "/active_tasks/holds:cancel", nil}, {"POST", "queues/" + other + "/active_tasks:cancel_all", nil},
				{"POST", "queues/" + other + "/active_tasks:batch_cancel", map[string]any{"task_ids": []string{"holds"}}},
				// The queue is its own, the job is not.
				{"POST", "queues/" + own + "/active_tasks/" + foreign + ":cancel", nil},
			} {
				if got := board.ask(ask.method, ask.address, ask.body); got.status != 404 {
					t.Errorf("%q: %s %s: got %d %s", prefix, ask.method, ask.address, got.status, got.body)
				}
			}
			done := asked[map[string][]string](board, "POST", "queues/"+own+"/active_tasks:batch_cancel", map[string]any{"task_ids": []string{foreign}})
			if !slices.Equal(done["error_ids"], []string{foreign}) || len(done["canceled_ids"]) != 0 {
				t.Errorf("%q: got %v", prefix, done)
			}
			schedule := map[string]string{"": "shop:report", "shop": "report"}[prefix]
			redistest.Eventually(t, patience, schedule+" to be known", func() bool {
				return board.ask("GET", "scheduler_entries/"+schedule+"/enqueue_events", nil).status == 404
			})
		}
		for _, queue := range []string{"orders", "shop:orders"} {
			if info, err := inspector.GetQueueInfo(queue); err != nil || info.Paused || info.Archived != 1 || info.Active != 2 {
				t.Errorf("%s is %+v, %v", queue, info, err)
			}
		}
		if err := rdb.Publish(t.Context(), "asynq:cancel", "the last").Err(); err != nil {
			t.Fatal(err)
		}
		if message, err := cancelled.ReceiveMessage(t.Context()); err != nil || message.Payload != "the last" {
			t.Errorf("the workers are told %v, %v", message, err)
		}
	})
}
