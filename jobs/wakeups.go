package jobs

import (
	"context"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
)

// wakeups listens for pushes to the queues of a worker, so that an idle one
// starts a job at once without asking Redis all the time.
type wakeups struct {
	rdb redis.UniversalClient
	log *slog.Logger
	// connected is called when Redis has (again) been told what we listen to.
	connected func(ctx context.Context) error

	channels []string
	signals  map[string]chan struct{} // by channel
}

// add returns the signal of a queue. It remembers one: work may be announced
// between the look that found nothing and the wait.
func (w *wakeups) add(asynqQueue string) <-chan struct{} {
	if w.signals == nil {
		w.signals = map[string]chan struct{}{}
	}
	channel, signal := wakeChannel(asynqQueue), make(chan struct{}, 1)
	w.channels = append(w.channels, channel)
	w.signals[channel] = signal
	return signal
}

// run listens until ctx ends. What is announced while the connection is lost is
// not heard, so all queues are looked at when it is there again.
func (w *wakeups) run(ctx context.Context) {
	if len(w.channels) == 0 {
		return
	}
	pubsub := w.rdb.Subscribe(ctx, w.channels...)
	messages := pubsub.ChannelWithSubscriptions(redis.WithChannelSize(1000))
	var recording sync.WaitGroup
	defer recording.Wait()
	defer pubsub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case message, ok := <-messages:
			if !ok {
				return
			}
			switch m := message.(type) {
			case *redis.Message:
				w.signal(m.Channel)
			case *redis.Subscription:
				w.signal(m.Channel)
				if m.Channel == w.channels[0] {
					recording.Go(func() { w.record(ctx) })
				}
			}
		}
	}
}

func (w *wakeups) record(ctx context.Context) {
	if err := w.connected(ctx); err != nil && ctx.Err() == nil {
		w.log.Warn("could not record the queues", "error", err)
	}
}

func (w *wakeups) signal(channel string) {
	select {
	case w.signals[channel] <- struct{}{}:
	default:
	}
}
