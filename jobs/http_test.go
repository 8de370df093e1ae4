package jobs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestHTTPPushesTheBody(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		orders, notes := jobs.NewQueue[order]("orders.fifo"), jobs.NewQueue[string]("notes")
		type seen struct {
			job     jobs.Job
			payload string
		}
		got := make(chan seen, 1)
		handlers := []jobs.Handler{
			orders.Handle(func(ctx context.Context, o order) error {
				job, _ := jobs.FromContext(ctx)
				got <- seen{job, o.ID}
				return nil
			}),
			notes.Handle(func(ctx context.Context, s string) error {
				job, _ := jobs.FromContext(ctx)
				got <- seen{job, s}
				return nil
			}),
		}
		startWorker(t, rdb, handlers...)
		mux := http.NewServeMux()
		mux.Handle("/shops/{shop}/orders/{group}", orders.HTTP())
		mux.Handle("/notes", notes.HTTP())
		ctx := jobs.WithUserID(clientContext(rdb, handlers...), "ada")

		answer := do(ctx, mux, "POST", "/shops/s1/orders/g1?color=red", "application/json; charset=utf-8", `{"id":"o1"}`)
		s := <-got
		if id := answer.Header().Get("X-Job-Id"); answer.Code != http.StatusAccepted || id != s.job.ID || !strings.Contains(answer.Body.String(), id) {
			t.Errorf("answer %d %v %s to job %q", answer.Code, answer.Header(), answer.Body, s.job.ID)
		}
		if s.payload != "o1" || s.job.Group != "g1" || s.job.UserID != "ada" || len(s.job.Params) != 2 ||
			s.job.Params["shop"] != "s1" || s.job.Params["color"] != "red" {
			t.Errorf("the job is %+v, payload %q", s.job, s.payload)
		}
		do(ctx, mux, "POST", "/notes", "", "plain text")
		if s := <-got; s.payload != "plain text" || s.job.Queue != "notes" {
			t.Errorf("the job is %+v, payload %q", s.job, s.payload)
		}
	})
}

func TestHTTPAnswersWhatIsWrong(t *testing.T) {
	rdb := redistest.Embedded(t)
	orders, line := jobs.NewQueue[order]("orders"), jobs.NewQueue[order]("line.fifo")
	ctx := clientContext(rdb, orders.Handle(ignore[order]), line.Handle(ignore[order]))
	const json = "application/json"
	for _, test := range []struct {
		method, kind, body string
		queue              *jobs.Queue[order]
		status             int
		text               string
	}{
		{"GET", json, "{}", orders, 405, "only POST"},
		{"POST", "text/plain", "{}", orders, 415, "text/plain"},
		{"POST", "", "{}", orders, 415, "application/json"},
		{"POST", json, `{"id":`, orders, 400, "unexpected end"},
		{"POST", json, `{"id":1}`, orders, 400, `field \"id\"`},
		{"POST", json, `"` + strings.Repeat("x", 1<<20) + `"`, orders, 413, "1048576"},
		{"POST", json, "{}", line, 400, "group"},
		{"POST", json, "{}", jobs.NewQueue[order]("nobody"), 503, "try again later"},
	} {
		answer := do(ctx, test.queue.HTTP(), test.method, "/", test.kind, test.body)
		if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.text) || answer.Header().Get("Content-Type") != json {
			t.Errorf("%s %s %.20s: answer %d %s, want %d with %q", test.method, test.kind, test.body, answer.Code, answer.Body, test.status, test.text)
		}
	}
}

func do(ctx context.Context, h http.Handler, method, target, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
