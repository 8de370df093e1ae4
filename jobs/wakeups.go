package jobs

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

// asynqCancels is where the dashboard tells workers to cancel a job.
const asynqCancels = "asynq:cancel"

// cancelWord begins what Client.Cancel tells the workers of a queue: the owner
// of the run and the id of the job follow.
const cancelWord = "cancel:"

// wakeups listens for pushes to the queues of a worker, so that an idle one
// starts a job at once without asking Redis all the time.
type wakeups struct {
	rdb redis.UniversalClient
	log *slog.Logger
	// connected is called when Redis has (again) been told what we listen to.
	connected func(ctx context.Context) error

	fetchers map[string]*fetcher // by channel
}

// run listens until ctx ends. What is announced while the connection is lost is
// not heard, so all queues are looked at when it is there again.
func (w *wakeups) run(ctx context.Context) {
	if len(w.fetchers) == 0 {
		return
	}
	var deaf sync.WaitGroup
	defer deaf.Wait()
	channels := slices.Collect(maps.Keys(w.fetchers))
	if w.refused(ctx, channels[0]) {
		deaf.Go(func() { w.lookForCancels(ctx) })
	}
	// Redis takes all of them or none.
	if !w.refused(ctx, asynqCancels) {
		channels = append(channels, asynqCancels)
	}
	pubsub := w.rdb.Subscribe(ctx, channels...)
	messages := pubsub.ChannelWithSubscriptions(redis.WithChannelSize(1000))
	var connecting sync.WaitGroup
	defer connecting.Wait()
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
				w.heard(m.Channel, m.Payload)
			case *redis.Subscription:
				connecting.Go(func() { w.nowListening(ctx, m.Channel) })
			}
		}
	}
}

// refused reports whether the user of Redis may not listen to a channel. It was
// said at the start what is lost.
func (w *wakeups) refused(ctx context.Context, channel string) bool {
	return redis.IsPermissionError(redisstep.Listen(ctx, w.rdb, channel))
}

// lookForCancels finds out by looking which of the running jobs are cancelled,
// until ctx ends.
func (w *wakeups) lookForCancels(ctx context.Context) {
	every(ctx, idleCheck, func() {
		for _, f := range w.fetchers {
			f.cancelMarked(ctx)
		}
	})
}

func (w *wakeups) heard(channel, payload string) {
	if channel == asynqCancels {
		// It does not say in which queue.
		for _, f := range w.fetchers {
			f.runs.cancel(payload)
		}
		return
	}
	f := w.fetchers[channel]
	if id, ok := strings.CutPrefix(payload, cancelWord); ok {
		f.runs.cancel(id)
		return
	}
	f.wake()
}

// nowListening makes up for what was said on a channel before it was listened
// to.
func (w *wakeups) nowListening(ctx context.Context, channel string) {
	if channel == asynqCancels {
		if err := w.connected(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("could not record the queues", "error", err)
		}
		return
	}
	f := w.fetchers[channel]
	f.listening.Store(time.Now().UnixNano())
	f.cancelMarked(ctx)
	f.wake()
}

// cancelMarked cancels the runs of jobs that Redis knows to be cancelled.
func (f *fetcher) cancelMarked(ctx context.Context) {
	for _, run := range f.runs.all() {
		cancelled, err := f.run.rdb.HExists(ctx, taskKey(f.name, run.jobID), "cancelled").Result()
		if err != nil {
			if ctx.Err() == nil {
				f.cancelling.Note(err)
			}
			return
		}
		if cancelled {
			run.cancel(ErrCancelled)
		}
	}
	f.cancelling.Note(nil)
}
