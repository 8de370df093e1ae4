package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

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

// A push is told apart by the queue, the group and the dedupe id, not by its
// payload.
func TestHTTPDedupes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		line, orders := jobs.NewQueue[order]("line.fifo"), jobs.NewQueue[order]("orders")
		ctx := clientContext(rdb, line.Handle(ignore[order]), orders.Handle(ignore[order]))
		mux := http.NewServeMux()
		mux.Handle("/line/{group}/{dedupe}", line.HTTP())
		mux.Handle("/orders/{dedupe}", orders.HTTP())
		ids := map[string]string{}
		for _, test := range []struct{ path, order, repeats string }{
			{"/line/g1/d1", "o1", ""},
			{"/line/g1/d1", "o2", "/line/g1/d1"},
			{"/line/g1/d2", "o1", ""},
			{"/line/g2/d1", "o1", ""},
			{"/orders/d1", "o1", ""},
			{"/orders/d1", "o2", "/orders/d1"},
			{"/orders/d2", "o1", ""},
		} {
			answer := do(ctx, mux, "POST", test.path, "application/json", `{"id":"`+test.order+`"}`)
			id := answer.Header().Get("X-Job-Id")
			if answer.Code != http.StatusAccepted || id == "" {
				t.Fatalf("POST %s: %d %s", test.path, answer.Code, answer.Body)
			}
			if test.repeats != "" && id != ids[test.repeats] {
				t.Errorf("POST %s again: job %q, want %q", test.path, id, ids[test.repeats])
			}
			if test.repeats == "" {
				ids[test.path] = id
			}
		}
		for path, id := range ids {
			queue := "orders"
			if strings.HasPrefix(path, "/line") {
				queue = "line.fifo"
			}
			info, err := inspect(rdb).GetTaskInfo(queue, id)
			if err != nil || !strings.Contains(string(info.Payload), `"o1"`) {
				t.Errorf("POST %s made %+v, %v", path, info, err)
			}
		}
		if n := len(rdb.Keys(t.Context(), "asynq:{*}:t:*").Val()); n != len(ids) {
			t.Errorf("%d jobs are stored, want %d", n, len(ids))
		}
	})
}

func TestHTTPAnswersWhatIsWrong(t *testing.T) {
	rdb := redistest.Embedded(t)
	orders, line, counts := jobs.NewQueue[order]("orders"), jobs.NewQueue[order]("line.fifo"), jobs.NewQueue[int]("counts")
	ctx := clientContext(rdb, orders.Handle(ignore[order]), line.Handle(ignore[order]), counts.Handle(ignore[int]))
	mux := http.NewServeMux()
	for path, queue := range map[string]interface{ HTTP() http.Handler }{
		"/orders": orders, "/orders/{name}": orders, "/once/{dedupe...}": orders, "/grouped/{group}": orders,
		"/line": line, "/line/{group...}": line,
		"/counts": counts, "/nobody": jobs.NewQueue[order]("nobody"),
	} {
		mux.Handle(path, queue.HTTP())
	}
	const (
		json  = "application/json"
		form  = "application/x-www-form-urlencoded"
		parts = "multipart/form-data"
	)
	for _, test := range []struct {
		method, path, kind, body string
		status                   int
		text                     string
	}{
		{"GET", "/orders", json, "{}", 405, "only POST"},
		{"OPTIONS", "/orders", json, "{}", 405, "only POST"},
		{"POST", "/orders", "text/plain", "{}", 415, "text/plain"},
		{"POST", "/orders", "", "{}", 415, "application/x-www-form-urlencoded"},
		{"POST", "/orders", "nonsense/", "{}", 415, "nonsense/"},
		{"POST", "/counts", form, "n=1", 415, "only application/json"},
		{"POST", "/counts", parts + "; boundary=b", "", 415, "only application/json"},
		{"POST", "/orders", json, "", 400, "unexpected end"},
		{"POST", "/orders", json, `{"id":`, 400, "unexpected end"},
		{"POST", "/orders", json, `{}{}`, 400, "not valid JSON after 3 bytes"},
		{"POST", "/orders", json, `{"id":1}`, 400, `field \"id\": a JSON number does not fit`},
		{"POST", "/orders", json, `[]`, 400, "a JSON array does not fit"},
		{"POST", "/orders", json, ` null `, 400, "a JSON null does not fit"},
		{"POST", "/counts", json, `null`, 400, "a JSON null does not fit"},
		{"POST", "/orders", json, "{\"id\":\"\xff\"}", 400, "not valid UTF-8"},
		{"POST", "/orders", form, "id=%zz", 400, "%zz"},
		{"POST", "/orders", form, "id=%ff", 400, `field \"id\" is not valid UTF-8`},
		{"POST", "/orders", parts, "", 400, "boundary"},
		{"POST", "/orders", parts + "; boundary=b", "no part at all", 400, "closing boundary"},
		{"POST", "/orders", parts + "; boundary=b", "--b\r\nContent-Disposition: form-data; name=id\r\n\r\nx", 400, `field \"id\" is cut off`},
		{"POST", "/orders", json, `"` + strings.Repeat("x", 1<<20) + `"`, 413, "1048576"},
		{"POST", "/orders", form, strings.Repeat("x", 1<<20+1), 413, "1048576"},
		{"POST", "/orders?color=%ff", json, "{}", 400, "color"},
		{"POST", "/orders?%ff=red", json, "{}", 400, "UTF-8"},
		{"POST", "/orders?color=%zz", json, "{}", 400, "%zz"},
		{"POST", "/orders/%ff", json, "{}", 400, "{name}"},
		{"POST", "/once/", json, "{}", 400, "dedupe"},
		{"POST", "/once/%ff", json, "{}", 400, "{dedupe}"},
		{"POST", "/line", json, "{}", 400, "a FIFO queue needs a group"},
		{"POST", "/line/", json, "{}", 400, "a FIFO queue needs a group"},
		{"POST", "/line/%ff", json, "{}", 400, "{group}"},
		{"POST", "/grouped/g1", json, "{}", 503, "try again later"},
		{"POST", "/nobody", json, "{}", 503, "try again later"},
	} {
		answer := do(ctx, mux, test.method, test.path, test.kind, test.body)
		name := fmt.Sprintf("%s %s, %s, %.20s", test.method, test.path, test.kind, test.body)
		checkError(t, name, answer, test.status, test.text)
		if allow := answer.Header().Get("Allow"); test.status == 405 && allow != "POST" {
			t.Errorf("%s: Allow: %q", name, allow)
		}
	}
	if keys := rdb.Keys(t.Context(), "asynq:{*}:t:*").Val(); len(keys) > 0 {
		t.Errorf("what is wrong was pushed: %q", keys)
	}
}

// What lies behind a 503 stays inside.
func TestHTTPHidesWhatFailed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		orders := jobs.NewQueue[order]("orders")
		gone := redis.NewClient(&redis.Options{Addr: rdb.Options().Addr})
		ctx := clientContext(gone, orders.Handle(ignore[order]))
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		for _, ctx := range []context.Context{ctx, context.Background()} {
			answer := do(ctx, orders.HTTP(), "POST", "/", "application/json", "{}")
			checkError(t, "without Redis", answer, 503, "try again later")
			if got, want := answer.Body.String(), `{"error":"the job could not be stored, try again later"}`+"\n"; got != want {
				t.Errorf("answer %q, want %q", got, want)
			}
		}
	})
}

// A body is refused by its announced length, and one without a length once it
// has become too long. At the limit it is taken.
func TestHTTPLimitsTheBody(t *testing.T) {
	notes := jobs.NewQueue[string]("notes")
	ctx := clientContext(redistest.Embedded(t), notes.Handle(ignore[string]))
	server := httptest.NewUnstartedServer(notes.HTTP())
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	defer server.Close()
	for _, test := range []struct {
		size    int
		chunked bool
		status  int
	}{
		{1 << 20, false, 202}, {1 << 20, true, 202}, {1<<20 + 1, false, 413}, {1<<20 + 1, true, 413},
	} {
		var body io.Reader = strings.NewReader(strings.Repeat("x", test.size))
		if test.chunked {
			body = struct{ io.Reader }{body} // hides the length
		}
		answer, err := server.Client().Post(server.URL, "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != test.status {
			t.Errorf("%d bytes, chunked %v: %s, want %d", test.size, test.chunked, answer.Status, test.status)
		}
	}
	// Not one byte of what is announced too large is waited for.
	r := httptest.NewRequestWithContext(ctx, "POST", "/", iotest.ErrReader(errors.New("the body was read")))
	r.ContentLength = 1<<20 + 1
	w := httptest.NewRecorder()
	notes.HTTP().ServeHTTP(w, r)
	checkError(t, "announced", w, 413, "1048576")
	// Half a body is the client's fault, and the connection's details its own business.
	r = httptest.NewRequestWithContext(ctx, "POST", "/", iotest.ErrReader(errors.New("read tcp 10.0.0.1:80: reset")))
	w = httptest.NewRecorder()
	notes.HTTP().ServeHTTP(w, r)
	checkError(t, "cut off", w, 400, `"the body could not be read to its end"`)
}

func checkError(t *testing.T, name string, answer *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	var body map[string]string
	err := json.Unmarshal(answer.Body.Bytes(), &body)
	if err != nil || len(body) != 1 || body["error"] == "" {
		t.Errorf("%s: the answer is %s", name, answer.Body)
	}
	if answer.Code != status || !strings.Contains(answer.Body.String(), text) || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%s: answer %d %s, want %d with %s", name, answer.Code, answer.Body, status, text)
	}
	for _, inside := range []string{"json:", "Go ", "jobs", "order.", "redis", "asynq"} {
		if strings.Contains(answer.Body.String(), inside) {
			t.Errorf("%s: answer %s tells of %q", name, answer.Body, inside)
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
