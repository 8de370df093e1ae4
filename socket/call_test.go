package socket

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A handler that returns as soon as its context ends is as late as any other.
func TestAHandlerThatReturnsAtItsTimeOutHasTimedOut(t *testing.T) {
	h := &hub{config: config{handlers: Handlers{Timeout: time.Millisecond}, log: quiet}}
	for range 300 {
		err := h.call(t.Context(), func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}, func(error) {})
		if !errors.Is(err, ErrTimeout) {
			t.Fatalf("returned %v, want ErrTimeout", err)
		}
	}
}

// textless is an error whose text is empty, or, of a nil pointer, a panic.
type textless struct{ text string }

func (e *textless) Error() string { return e.text }

func TestAClientIsToldOfAnErrorWithoutAText(t *testing.T) {
	for want, errs := range map[string][]error{
		"unspecified error": {errors.New(""), &textless{}, &Rejection{}, &Rejection{Status: 999}},
		"Forbidden":         {&Rejection{Status: 403}, Reject(403, ""), fmt.Errorf("no: %w", &Rejection{Status: 403})},
	} {
		for _, failure := range errs {
			if got := reasonFor(failure); got != want {
				t.Errorf("%#v is told as %q, want %q", failure, got, want)
			}
		}
	}
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		failures := []error{errors.New(""), &Rejection{}, (*textless)(nil), (*Rejection)(nil)}
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: JSON(func(_ context.Context, i int) error { return failures[i] })}})
		r := dialResumer(t, s.URL)
		r.connect(nil)
		for i, want := range []string{"unspecified error", "unspecified error", "internal error", "internal error"} {
			r.say(fmt.Sprintf(`{"data":%d,"id":%d}`, i, i+1))
			r.expectFrame(fmt.Sprintf(`{"id":%d,"error":%q}`, i+1, want))
			r.say(fmt.Sprintf(`{"data":%d}`, i))
			r.expectFrame(fmt.Sprintf(`{"error":%q}`, want))
		}
	})
}
