package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestLongErrorsAreCut(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		long := strings.Repeat("wörter\xff ", 1<<20)
		queue := jobs.NewQueue[string]("q")
		told := make(chan jobs.Info, 2)
		handler := queue.Handle(func(_ context.Context, how string) error {
			if how == "panic" {
				panic(long)
			}
			return errors.New(long)
		}, jobs.Retries(0))
		runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler},
			OnUpdate: func(_ context.Context, info jobs.Info) error { told <- info; return nil }})
		ctx := jobs.WithUserID(clientContext(rdb, handler), "ada")
		for _, how := range []string{"error", "panic"} {
			id := must(t)(queue.Push(ctx, how, jobs.NotifyUser()))
			got := waitForState(t, rdb, "q", id, asynq.TaskStateArchived).LastErr
			var missing int
			kept, rest, _ := strings.Cut(got, "… (")
			if _, err := fmt.Sscanf(rest, "%d bytes more)", &missing); err != nil || len(got) > 4<<10 || len(got) < 4000 || !utf8.ValidString(got) {
				t.Fatalf("%s: %d bytes are stored, which end in %q", how, len(got), got[max(0, len(got)-40):])
			}
			whole := len(strings.ToValidUTF8(long, "\uFFFD"))
			if kept = strings.TrimPrefix(kept, "the handler panicked: "); how == "error" && len(kept)+missing != whole {
				t.Errorf("%s: %d bytes and %d missing are not %d", how, len(kept), missing, whole)
			}
			if update := <-told; update.LastError != got {
				t.Errorf("%s: the user is told %d bytes", how, len(update.LastError))
			}
		}
	})
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	rdb := redistest.Embedded(t)
	standard, fifo := jobs.NewQueue[[]byte]("standard"), jobs.NewQueue[[]byte]("line.fifo")
	ctx := clientContext(rdb, standard.Handle(ignore[[]byte]), fifo.Handle(ignore[[]byte]))
	payload := make([]byte, 16<<20)
	long := strings.Repeat("x", 1<<10)
	push := func(ctx context.Context, options ...jobs.PushOption) error {
		_, err := standard.Push(ctx, nil, options...)
		return err
	}
	most := jobs.WithRequestID(jobs.WithUserID(ctx, long), long)
	_, filled := standard.Push(most, payload, jobs.Param("k", strings.Repeat("v", 64<<10-1)), jobs.Serial(long))
	_, grouped := fifo.Group(long).Push(ctx, nil)
	for _, err := range []error{filled, grouped, push(ctx, jobs.Ascending(long, 1))} {
		if err != nil {
			t.Errorf("the largest that is allowed was refused: %v", err)
		}
	}
	_, one := standard.Push(ctx, append(payload, 0))
	_, many := standard.PushMany(ctx, [][]byte{nil, append(payload, 0)})
	_, each := standard.PushEach(ctx, []jobs.Item[[]byte]{{}, {Payload: append(payload, 0)}})
	_, group := fifo.Group(long+"x").Push(ctx, nil)
	for want, err := range map[string]error{
		`queue "standard": the payload has 16777217 bytes, and may have at most 16777216`:  one,
		`queue "standard": payload 2 of 2: the payload has 16777217 bytes`:                 many,
		`queue "standard": item 1: the payload has 16777217 bytes`:                         each,
		`queue "line.fifo": the id of the group has 1025 bytes, and may have at most 1024`: group,
		`queue "standard": the id of the user has 1025 bytes`:                              push(jobs.WithUserID(ctx, long+"x")),
		`queue "standard": the id of the request has 1025 bytes`:                           push(jobs.WithRequestID(ctx, long+"x")),
		`queue "standard": the id of the group has 1025 bytes, and may`:                    push(ctx, jobs.Serial(long+"x")),
		`queue "standard": the name of the line has 1025 bytes`:                            push(ctx, jobs.Ascending(long+"x", 1)),
		`queue "standard": the text of all Params has 65537 bytes`:                         push(ctx, jobs.Param("k", strings.Repeat("v", 64<<10))),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Push returned %v, want %q", err, want)
		}
	}
	if n := rdb.LLen(ctx, "asynq:{standard}:pending").Val(); n != 2 {
		t.Errorf("%d jobs were pushed, want 2", n)
	}
}

func TestHTTPSaysThatTheClientSentTooMuch(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[string]("line.fifo")
	ctx := clientContext(rdb, queue.Handle(ignore[string]))
	for want, query := range map[string]string{"text of all Params": "?k=" + strings.Repeat("v", 64<<10), "id of the group": ""} {
		request := httptest.NewRequest("POST", "/"+query, strings.NewReader("x")).WithContext(ctx)
		request.SetPathValue("group", strings.Repeat("g", 1025-len(query)/64))
		answer := httptest.NewRecorder()
		if queue.HTTP().ServeHTTP(answer, request); answer.Code != 400 || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("answered %d %s, want 400 and %q", answer.Code, answer.Body, want)
		}
	}
}

func TestResultsAndProgressHaveABound(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		var progress journal[error]
		handler := jobs.HandleResult(queue, func(ctx context.Context, more int) ([]byte, error) {
			progress.add(jobs.Progress(ctx, make([]byte, 64<<10+more)))
			return make([]byte, 16<<20+more), nil
		})
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		waitForState(t, rdb, "q", must(t)(queue.Push(ctx, 0)), asynq.TaskStateCompleted)
		info := waitForState(t, rdb, "q", must(t)(queue.Push(ctx, 1)), asynq.TaskStateArchived)
		if want := `queue "q": the result has 16777217 bytes, and may have at most 16777216`; info.LastErr != want {
			t.Errorf("the archive says %q, want %q", info.LastErr, want)
		}
		if got := progress.all(); got[0] != nil || got[1] == nil || got[1].Error() != "the progress has 65537 bytes, and may have at most 65536" {
			t.Errorf("Progress returned %v", got)
		}
	})
}

func TestTheDashboardSeesTheBeginningOfARunningPayload(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[[]byte]("q")
	payload := bytes.Repeat([]byte("ü"), 5<<20)
	got := make(chan []byte, 1)
	release := make(chan struct{})
	handler := queue.Handle(func(_ context.Context, payload []byte) error {
		got <- payload
		<-release
		return nil
	})
	startWorker(t, rdb, handler)
	defer close(release)
	must(t)(queue.Push(clientContext(rdb, handler), payload))
	if !bytes.Equal(<-got, payload) {
		t.Error("the handler got another payload")
	}
	var shown []byte
	redistest.Eventually(t, soon, "asynq's heartbeat", func() bool {
		servers, err := inspect(rdb).Servers()
		if err == nil && len(servers) == 1 && len(servers[0].ActiveWorkers) == 1 {
			shown = servers[0].ActiveWorkers[0].TaskPayload
		}
		return shown != nil
	})
	if want := strings.Repeat("ü", 512) + fmt.Sprintf("… (%d bytes more)", 10<<20-1024); string(shown) != want {
		t.Errorf("the dashboard sees %d bytes that end in %q", len(shown), shown[max(0, len(shown)-40):])
	}
}
