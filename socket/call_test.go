package socket

import (
	"context"
	"errors"
	"testing"
	"time"
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
