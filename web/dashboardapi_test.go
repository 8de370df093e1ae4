package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protowire"
)

// oddIDs are ids that mean something else in a URL, each with those that it would
// be taken for.
var oddIDs = []string{
	"order#1", "order?1", "order", "order~231", "x/../y", "y", "a/b", "50%", ".", "..", `a\b`, "a b", "a b ", " a b", "%2F", "~23", "#", "é/ü", `"quoted"`,
	"a:run", "a", "$&", "taskId", "-",
}

// yard is a queue of another asynq client, with one job of every odd id.
type yard struct {
	t         *testing.T
	rdb       *redis.Client
	inspector *asynq.Inspector
	queue     string
	ids       []string
}

// newYard puts all jobs into a list of the dashboard: pending, scheduled and so on.
func newYard(t *testing.T, rdb *redis.Client, queue, list string, ids ...string) *yard {
	t.Helper()
	y := &yard{t, rdb, asynq.NewInspectorFromRedisClient(rdb), queue, ids}
	client := asynq.NewClientFromRedisClient(rdb)
	options := []asynq.Option{asynq.Queue(queue), asynq.Retention(time.Hour)}
	if list == "aggregating" {
		options = append(options, asynq.Group("group #1"))
	}
	for _, id := range ids {
		payload, _ := json.Marshal(order{id})
		if _, err := client.Enqueue(asynq.NewTask("orders", payload), append(options, asynq.TaskID(id))...); err != nil {
			t.Fatal(err)
		}
		y.move(id, list)
	}
	return y
}

// move makes a pending job one of another list, as a worker or the time would.
func (y *yard) move(id, list string) {
	y.t.Helper()
	key := func(of string) string { return "asynq:{" + y.queue + "}:" + of }
	if list == "pending" || list == "aggregating" {
		return
	}
	in := time.Now().Add(time.Hour).Unix()
	pipe := y.rdb.TxPipeline()
	pipe.LRem(y.t.Context(), key("pending"), 0, id)
	pipe.HSet(y.t.Context(), key("t:"+id), "state", list)
	if list == "active" {
		pipe.LPush(y.t.Context(), key(list), id)
		pipe.ZAdd(y.t.Context(), key("lease"), redis.Z{Score: float64(in), Member: id})
	} else {
		pipe.ZAdd(y.t.Context(), key(list), redis.Z{Score: float64(in), Member: id})
	}
	if _, err := pipe.Exec(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
}

// states are the states of the jobs that there are.
func (y *yard) states() map[string]string {
	y.t.Helper()
	states := map[string]string{}
	for _, id := range y.ids {
		switch info, err := y.inspector.GetTaskInfo(y.queue, id); {
		case err == nil:
			states[id] = info.State.String()
		case !strings.Contains(err.Error(), "not found"):
			y.t.Fatal(err)
		}
	}
	return states
}

// ask sends a request like the page: names are part of the address as they are, and
// the browser makes of it what it does.
func (r *running) ask(method, address string, body any) answer {
	r.t.Helper()
	base, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	u, err := base.Parse("/monitoring/api/" + address)
	if err != nil {
		return answer{status: -1, body: err.Error()}
	}
	return r.get("", func(req *http.Request) {
		req.Method, req.URL = method, u
		if body != nil {
			data, _ := json.Marshal(body)
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		}
	})
}

// asked is ask for JSON.
func asked[T any](r *running, method, address string, body any) T {
	r.t.Helper()
	var v T
	got := r.ask(method, address, body)
	if err := json.Unmarshal([]byte(got.body), &v); err != nil || got.status != 200 {
		r.t.Fatalf("%s %s: got %d %s", method, address, got.status, got.body)
	}
	return v
}

// listed is how the page sees a list: the ids by the payloads, which tell what
// they are.
func listed(r *running, address string) map[string]string {
	r.t.Helper()
	ids := map[string]string{}
	for _, job := range asked[struct {
		Tasks []struct{ ID, Payload string }
	}](r, "GET", address+"?size=100&page=1", nil).Tasks {
		var o order
		if err := json.Unmarshal([]byte(job.Payload), &o); err != nil {
			r.t.Fatal(err)
		}
		ids[o.Item] = job.ID
	}
	return ids
}

// What the dashboard can do with jobs of each list.
var dashboardActions = []struct{ list, action, leaves string }{
	{"pending", "delete", ""}, {"pending", "archive", "archived"},
	{"scheduled", "delete", ""}, {"scheduled", "run", "pending"}, {"scheduled", "archive", "archived"},
	{"retry", "delete", ""}, {"retry", "run", "pending"}, {"retry", "archive", "archived"},
	{"archived", "delete", ""}, {"archived", "run", "pending"},
	{"completed", "delete", ""},
	{"aggregating", "delete", ""}, {"aggregating", "run", "pending"}, {"aggregating", "archive", "archived"},
}

func jobsAddress(queue, list string) string {
	if list == "aggregating" {
		return "queues/" + queue + "/groups/group~20~231/aggregating_tasks"
	}
	return "queues/" + queue + "/" + list + "_tasks"
}

// Whatever the ids are, an action in the dashboard is done to the chosen job and to
// no other.
func TestDashboardActsOnTheChosenJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
		for _, a := range dashboardActions {
			y := newYard(t, rdb, a.list+"-"+a.action, a.list, oddIDs...)
			address := jobsAddress(y.queue, a.list)
			shown := listed(s, address)
			if len(shown) != len(oddIDs) {
				t.Fatalf("%s: the page shows %q", a.list, shown)
			}
			want := y.states()
			for i, id := range oddIDs {
				if i%2 == 1 {
					continue // for those that are selected below
				}
				method, suffix := "DELETE", ""
				if a.action != "delete" {
					method, suffix = "POST", ":"+a.action
				}
				if got := s.ask(method, address+"/"+shown[id]+suffix, nil); got.status != 204 {
					t.Errorf("%s of the %s %q: got %d %s", a.action, a.list, id, got.status, got.body)
				}
				if want[id] = a.leaves; a.leaves == "" {
					delete(want, id)
				}
				if got := y.states(); !maps.Equal(got, want) {
					t.Fatalf("%s of the %s %q leaves %v, want %v", a.action, a.list, id, got, want)
				}
			}
			var selected []string
			for i, id := range oddIDs {
				if i%2 == 0 {
					continue
				}
				selected = append(selected, shown[id])
				if want[id] = a.leaves; a.leaves == "" {
					delete(want, id)
				}
			}
			done := asked[map[string][]string](s, "POST", address+":batch_"+a.action, map[string]any{"task_ids": selected})
			field := map[string]string{"delete": "deleted_ids", "run": "pending_ids", "archive": "archived_ids"}[a.action]
			if !slices.Equal(done[field], selected) {
				t.Errorf("%s of the selected %s: got %v, want %v", a.action, a.list, done, selected)
			}
			if got := y.states(); !maps.Equal(got, want) {
				t.Errorf("%s of the selected %s leaves %v, want %v", a.action, a.list, got, want)
			}
		}
	})
}

// Cancelling tells the workers the id as it is.
func TestDashboardCancelsTheChosenJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
		y := newYard(t, rdb, "orders", "active", oddIDs...)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cancelled := rdb.Subscribe(ctx, "asynq:cancel")
		defer cancelled.Close()
		if _, err := cancelled.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		shown := listed(s, "queues/orders/active_tasks")
		for _, id := range y.ids {
			if got := s.ask("POST", "queues/orders/active_tasks/"+shown[id]+":cancel", nil); got.status != 204 {
				t.Errorf("%q: got %d %s", id, got.status, got.body)
			}
			done := asked[map[string][]string](s, "POST", "queues/orders/active_tasks:batch_cancel", map[string]any{"task_ids": []string{shown[id]}})
			if !slices.Equal(done["canceled_ids"], []string{shown[id]}) {
				t.Errorf("%q: got %v", id, done)
			}
			for range 2 {
				if message, err := cancelled.ReceiveMessage(ctx); err != nil || message.Payload != id {
					t.Fatalf("%q: the workers are told %v, %v", id, message, err)
				}
			}
		}
	})
}

func TestDashboardShowsTheChosenJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
		y := newYard(t, rdb, "orders", "completed", oddIDs...)
		type job struct {
			ID, Queue, Type, Payload, State string
			MaxRetry                        int    `json:"max_retry"`
			TTL                             int    `json:"ttl_seconds"`
			Next                            string `json:"next_process_at"`
		}
		shown := listed(s, "queues/orders/completed_tasks")
		for _, id := range y.ids {
			got := asked[job](s, "GET", "queues/orders/tasks/"+shown[id], nil)
			payload, _ := json.Marshal(order{id})
			if got.ID != shown[id] || got.Queue != "orders" || got.Type != "orders" || got.Payload != string(payload) ||
				got.State != "completed" || got.MaxRetry != 25 || got.Next != "" {
				t.Errorf("%q: got %+v", id, got)
			}
		}
		// An id that was typed as it is, which no page writes so.
		for _, id := range []string{"a b", "50%", `"quoted"`, `a\b`, "é/ü", "a/b", "order#1"} {
			if got := asked[job](s, "GET", "queues/orders/tasks/"+url.PathEscape(id), nil); got.ID != shown[id] {
				t.Errorf("%q: got %+v", id, got)
			}
		}
		for _, address := range []string{"queues/orders/tasks/no", "queues/no/tasks/a", "queues/orders/tasks/~"} {
			if got := s.ask("GET", address, nil); got.status != 404 {
				t.Errorf("%s: got %+v", address, got)
			}
		}
	})
}

// What the page cannot have sent changes nothing.
func TestDashboardRefusesOtherNames(t *testing.T) {
	rdb := redistest.Embedded(t)
	s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
	y := newYard(t, rdb, "orders", "archived", oddIDs...)
	want := y.states()
	for _, id := range []string{"a~20b", "%20a", "a%20", "order%231", "a%2Fb", "%2E%2E", "~", "~4", "~6F", "%7E23x%20", "%FF", "no"} {
		for _, how := range [][2]string{{"DELETE", ""}, {"POST", ":run"}} {
			if got := s.ask(how[0], "queues/orders/archived_tasks/"+id+how[1], nil); got.status != 404 {
				t.Errorf("%s %s: got %+v", how[0], id, got)
			}
		}
	}
	for _, body := range []any{[]string{"a"}, map[string]any{"task_ids": []string{"-", "a~20b"}}, map[string]any{"task_ids": []string{"~FF"}}, map[string]any{"ids": []string{"a"}}, "a"} {
		if got := s.ask("POST", "queues/orders/archived_tasks:batch_delete", body); got.status != 400 {
			t.Errorf("%v: got %+v", body, got)
		}
	}
	for _, address := range []string{"queues/orders/other_tasks/a:run", "queues/orders/archived_tasks/a:archive", "queues/orders/completed_tasks/a:run", "queues/orders/archived_tasks/a"} {
		s.ask("POST", address, nil)
	}
	if got := y.states(); !maps.Equal(got, want) {
		t.Errorf("the jobs are %v, want %v", got, want)
	}
}

// Queues and groups of other asynq clients have names that package jobs refuses.
func TestDashboardOpensQueuesOfAnyName(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
		const queue, shown = "mail #1?:pause", "mail~20~231~3F:pause"
		y := newYard(t, rdb, queue, "aggregating", "a/b", "b")
		if size := queueSize(t, s, shown); size != 2 {
			t.Errorf("the queue has %d jobs", size)
		}
		if got := asked[struct{ Current struct{ Queue string } }](s, "GET", "queues/"+shown, nil); got.Current.Queue != shown {
			t.Errorf("got %+v", got)
		}
		if got := asked[struct{ Stats map[string]any }](s, "GET", "queue_stats", nil); got.Stats[shown] == nil {
			t.Errorf("got %+v", got)
		}
		for _, action := range []string{"pause", "resume"} {
			got := s.ask("POST", "queues/"+shown+":"+action, nil)
			if info, err := y.inspector.GetQueueInfo(queue); got.status != 204 || err != nil || info.Paused != (action == "pause") {
				t.Errorf("%s: got %+v; %+v, %v", action, got, info, err)
			}
		}
		groups := asked[struct{ Groups []struct{ Group string } }](s, "GET", "queues/"+shown+"/groups", nil)
		if fmt.Sprint(groups.Groups) != "[{group~20~231}]" {
			t.Errorf("got %+v", groups)
		}
		if got := s.ask("DELETE", jobsAddress(shown, "aggregating")+":delete_all", nil); got.status != 200 || len(y.states()) != 0 {
			t.Errorf("delete all: got %+v and have %v", got, y.states())
		}
		if got := s.ask("DELETE", "queues/"+shown, nil); got.status != 204 || queueSize(t, s, shown) != -1 {
			t.Errorf("delete: got %+v", got)
		}
		// Its jobs can be seen to by their addresses, but it cannot be opened.
		y = newYard(t, rdb, "x/../y", "pending", "a/b", "b")
		newYard(t, rdb, "y", "pending", "a/b")
		for _, how := range [][2]string{{"DELETE", ""}, {"POST", ":pause"}, {"GET", "/pending_tasks"}, {"DELETE", "/pending_tasks:delete_all"}} {
			got := s.ask(how[0], "queues/x~2F..~2Fy"+how[1], nil)
			if got.status != 404 || !strings.Contains(got.body, "cannot be opened") {
				t.Errorf("%v: got %+v", how, got)
			}
		}
		if got := s.ask("DELETE", "queues/x~2F..~2Fy/pending_tasks/a~2Fb", nil); got.status != 204 || len(y.states()) != 1 || queueSize(t, s, "y") != 1 {
			t.Errorf("got %+v and have %v", got, y.states())
		}
	})
}

// Schedules of any scheduler, and their jobs, may have any name too.
func TestDashboardShowsTheHistoryOfTheChosenSchedule(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
		ids := slices.Clone(oddIDs)
		for _, id := range oddIDs {
			ids = append(ids, id+":1800000000")
			pushed := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id+":1800000000")
			at := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1_800_000_000)
			pushed = protowire.AppendBytes(protowire.AppendTag(pushed, 2, protowire.BytesType), at)
			if err := rdb.ZAdd(t.Context(), "asynq:scheduler_history:"+id, redis.Z{Score: 1, Member: pushed}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		newYard(t, rdb, "orders", "pending", ids...)
		shown := listed(s, "queues/orders/pending_tasks")
		type tick struct {
			Job string    `json:"task_id"`
			At  time.Time `json:"enqueued_at"`
		}
		for _, id := range oddIDs {
			got := asked[struct{ Events []tick }](s, "GET", "scheduler_entries/"+shown[id]+"/enqueue_events?page=1&size=20", nil).Events
			if len(got) != 1 || got[0].Job != shown[id+":1800000000"] || got[0].At.Unix() != 1_800_000_000 {
				t.Errorf("%q: got %+v", id, got)
			}
		}
		if got := s.ask("GET", "scheduler_entries/no/enqueue_events", nil); got.status != 200 || got.body != `{"events":[]}` {
			t.Errorf("got %+v", got)
		}
	})
}

// The page of the servers shows running jobs.
func TestDashboardShowsIDsOfRunningJobs(t *testing.T) {
	s := newStage(t, "orders")
	s.hold("a")
	s.pushWith("a", jobs.ID("order no #1"))
	s.be("active", "a")
	defer s.release("a")
	board := start(t, t.Context(), &web.Server{Redis: s.rdb, Dashboard: &web.Dashboard{Redis: s.rdb, Access: open}})
	redistest.Eventually(t, patience, "the server to show its job", func() bool {
		return strings.Contains(board.ask("GET", "servers", nil).body, `"task_id":"order no~20~231"`)
	})
}
