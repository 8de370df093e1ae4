package cmd

import (
	"fmt"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// handlers returns the handlers of all queues: those of the program and the
// built-in ones, for presence and for ticks. Every process knows all of them, since
// it may push to queues that only others work on.
func (a App) handlers(rdb redis.UniversalClient) ([]jobs.Handler, error) {
	if err := scheduler.Check(a.Schedules); err != nil {
		return nil, err
	}
	builtIn := []jobs.Handler{
		a.Socket.Presence(rdb, a.Prefix),
		scheduler.Handler(a.Schedules),
	}
	taken := make(map[string]string, len(builtIn)+len(a.Jobs))
	for _, h := range builtIn {
		taken[h.Queue()] = "the name is that of a built-in queue"
	}
	for i, h := range a.Jobs {
		name := h.Queue()
		if name == "" {
			return nil, fmt.Errorf("App.Jobs[%d] was not made by a queue's Handle", i)
		}
		if why, ok := taken[name]; ok {
			return nil, fmt.Errorf("queue %q: %s", name, why)
		}
		taken[name] = "it has two handlers"
	}
	return append(builtIn, a.Jobs...), nil
}
