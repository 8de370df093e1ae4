package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

const century = 36500 * 24 * time.Hour

// mixed has an any in every place in which there may be one.
type mixed struct {
	Any   any            `json:"any"`
	List  []any          `json:"list"`
	Map   map[string]any `json:"map"`
	Deep  *mixed         `json:"deep"`
	Typed int64          `json:"typed"`
	Own   json.Number    `json:"own"`
	inner
}

type inner struct{ Embedded any }

func post[T any](t *testing.T, ctx context.Context, queue *jobs.Queue[T], body string) (id string, status int) {
	t.Helper()
	request := httptest.NewRequest("POST", "/", strings.NewReader(body)).WithContext(ctx)
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	queue.HTTP().ServeHTTP(answer, request)
	return answer.Header().Get("X-Job-Id"), answer.Code
}

func TestNumbersOfARequestAreStoredAsTheyAre(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for i, body := range []string{
			`{"id":1970670598291982290}`, `{"id":-9007199254740993}`, `{"id":123456789012345678901234567890}`,
			`{"id":9007199254740992}`, `{"id":0.1000000000000000055}`, `{"id":1e22}`, `{"list":[1970670598291982290,{"x":[9007199254740993]}]}`,
		} {
			queue := jobs.NewQueue[map[string]any](fmt.Sprint("q", i))
			client := jobs.NewClient(rdb)
			client.Handles = []jobs.Handler{queue.Handle(ignore[map[string]any])}
			id, status := post(t, client.Context(context.Background()), queue, body)
			info, err := client.Get(context.Background(), queue.Name(), id)
			if err != nil || string(info.Payload) != body {
				t.Errorf("%s is answered %d and stored as %s, %v", body, status, info.Payload, err)
			}
		}
	})
	whole := jobs.NewQueue[mixed]("mixed")
	ctx := clientContext(redistest.Embedded(t), whole.Handle(ignore[mixed]))
	if _, status := post(t, ctx, whole, `{"any":1e400}`); status != 400 {
		t.Errorf("a number that handlers could not read is answered %d", status)
	}
	if _, status := post(t, ctx, whole, `{"any":1}{"any":2}`); status != 400 {
		t.Errorf("two values are answered %d", status)
	}
}

func TestHandlersGetLargeIntegersAsTheyAre(t *testing.T) {
	const large, edge = "1970670598291982290", "9007199254740992"
	part := `"any":` + large + `,"list":[` + large + `,` + edge + `,0.1],"map":{"a":` + large + `,"b":[{"c":` + large + `}]},"typed":` + large + `,"own":1,"Embedded":` + large
	queue := jobs.NewQueue[mixed]("q")
	got, err := queue.Decode([]byte(`{` + part + `,"deep":{` + part + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	n := json.Number(large)
	want := mixed{n, []any{n, float64(1 << 53), 0.1}, map[string]any{"a": n, "b": []any{map[string]any{"c": n}}}, nil, 1970670598291982290, "1", inner{n}}
	deep := want
	want.Deep = &deep
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v with %+v, want %+v", got, got.Deep, want)
	}
	small, err := queue.Decode([]byte(`{"any":12,"own":12345678901234567890}`))
	if err != nil || small.Any != 12.0 || small.Own != "12345678901234567890" {
		t.Errorf("decoded %+v, %v", small, err)
	}
	for _, wrong := range []string{`{"any":` + large + `}{}`, `{"any":` + large, `{"any":` + large + `,"typed":"x"}`} {
		if _, err := queue.Decode([]byte(wrong)); err == nil {
			t.Errorf("%s was decoded", wrong)
		}
	}
	seen := make(chan any, 1)
	anything := jobs.NewQueue[any]("any")
	handler := anything.Handle(func(_ context.Context, v any) error { seen <- v; return nil })
	if _, err := handler.Call(t.Context(), jobs.Job{}, int64(1970670598291982290)); err != nil || <-seen != n {
		t.Errorf("the handler got another number, or %v", err)
	}
}

func TestTimesOfAPushAreKeptOrRefused(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		client := jobs.NewClient(rdb)
		client.Handles = []jobs.Handler{queue.Handle(ignore[string])}
		ctx := client.Context(context.Background())
		due := func(option jobs.PushOption) time.Time {
			t.Helper()
			info, err := client.Get(ctx, "q", must(t)(queue.Push(ctx, "x", option)))
			if err != nil {
				t.Fatal(err)
			}
			return info.Due
		}
		at := time.Now().Add(century - time.Hour).Truncate(time.Millisecond)
		if got := due(jobs.At(at)); !got.Equal(at) {
			t.Errorf("At(%v) is due at %v", at, got)
		}
		if got := due(jobs.In(century)); time.Until(got) < century-time.Minute || time.Until(got) > century+2*time.Millisecond { // never early
			t.Errorf("In(%v) is due in %v", century, time.Until(got))
		}
		for name, option := range map[string]jobs.PushOption{
			"In": jobs.In(-math.MaxInt64), "At": jobs.At(time.Unix(math.MinInt64, 0)), "zero": jobs.At(time.Time{}),
		} {
			if got := due(option); !got.IsZero() {
				t.Errorf("%s in the past is due at %v, want at once", name, got)
			}
		}
		for want, option := range map[string]jobs.PushOption{
			"In(876000h0m0.000000001s)": jobs.In(century + 1), "In(2562047h47m16.854775807s)": jobs.In(math.MaxInt64),
			"At(2": jobs.At(time.Now().Add(century + time.Hour)), "more than 36,500 days from now": jobs.At(time.Unix(1<<55, 0)),
			"At(": jobs.At(time.Unix(math.MaxInt64, 0)), "Unique(876000h0m0.000000001s)": jobs.Unique(century + 1),
			"Unique(0s)": jobs.Unique(0), "Retain(2191500h0m0s)": jobs.Retain(250 * 365.25 * 24 * time.Hour),
			"Retain(2562047h47m16.854775807s)": jobs.Retain(math.MaxInt64), "Retain(-1ns)": jobs.Retain(-1),
			"Ascending(\"l\", 9007199254740992)": jobs.Ascending("l", 1<<53),
		} {
			if _, err := queue.Push(ctx, "x", option); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Push returned %v, want an error with %q", err, want)
			}
		}
	})
}

func TestTheLongestRetainAndUniqueAreKept(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		handler := queue.Handle(ignore[string])
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		id := must(t)(queue.Push(ctx, "x", jobs.Retain(century), jobs.Unique(century)))
		var until float64
		redistest.Eventually(t, soon, "the job to be kept", func() bool {
			until = rdb.ZScore(ctx, "asynq:{q}:completed", id).Val()
			return until > 0
		})
		if left := until - float64(time.Now().Unix()); left < century.Seconds()-60 || left > century.Seconds() {
			t.Errorf("it is kept for %v s, want %v", left, century.Seconds())
		}
		if again := must(t)(queue.Push(ctx, "x", jobs.Unique(century))); again != id {
			t.Errorf("the same again is job %q, want %q", again, id)
		}
	})
}

func TestNumbersOfAHandlerAreKeptOrRefused(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[string]("q")
	run := func(drain time.Duration, options ...jobs.HandlerOption) error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return (&jobs.Worker{Redis: rdb, Drain: drain, Handlers: []jobs.Handler{queue.Handle(ignore[string], options...)}}).Run(ctx)
	}
	for want, options := range map[string][]jobs.HandlerOption{
		"Concurrency(100001)":          {jobs.Concurrency(100_001)},
		"Concurrency(-1)":              {jobs.Concurrency(-1)},
		"Retries(2147483648)":          {jobs.Retries(1 << 31)},
		"Rate(1, 876000h0m0.000000001": {jobs.Rate(1, century+1)},
		"Timeout(-1ns)":                {jobs.Timeout(-1)},
	} {
		if err := run(0, options...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run returned %v, want %q", err, want)
		}
	}
	if err := run(-1); err == nil || !strings.Contains(err.Error(), "the field Drain is -1ns") {
		t.Errorf("Run returned %v for a negative Drain", err)
	}
}

func TestTheLargestNumbersOfAHandlerWork(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		started, release := make(chan struct{}), make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ string) error {
			close(started)
			<-release
			return ctx.Err()
		}, jobs.Timeout(math.MaxInt64), jobs.Concurrency(100_000), jobs.Retries(math.MaxInt32), jobs.Rate(1, century))
		stop := runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Drain: math.MaxInt64})
		id := must(t)(queue.Push(clientContext(rdb, handler), "x"))
		<-started
		stopped := make(chan error)
		go func() { stopped <- stop() }()
		// A Drain that overflows would have let it stop without the handler.
		select {
		case err := <-stopped:
			t.Fatalf("the worker stopped beside its handler: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		close(release)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		waitUntilGone(t, rdb, "q", id)
	})
}

func TestWaitsAreKeptOrBounded(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[time.Duration]("q")
		handler := queue.Handle(func(_ context.Context, wait time.Duration) error { return jobs.RetryIn(fmt.Errorf("later"), wait) })
		startWorker(t, rdb, handler)
		client := jobs.NewClient(rdb)
		ctx := clientContext(rdb, handler)
		for wait, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, math.MaxInt64: century} {
			id := must(t)(queue.Push(ctx, wait))
			var info jobs.Info
			redistest.Eventually(t, soon, "the failure", func() bool {
				info, _ = client.Get(ctx, "q", id)
				return info.State == jobs.Retrying
			})
			if got := time.Until(info.Due); got < want-time.Minute || got > want+2*time.Millisecond { // never early
				t.Errorf("RetryIn(%v): it is tried again in %v, want %v", wait, got, want)
			}
		}
	})
}
