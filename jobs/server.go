package jobs

import (
	"time"

	"github.com/hibiken/asynq"
)

const never = 10 * 365 * 24 * time.Hour

// newServer makes the asynq server that runs the jobs of a worker. The fetchers
// keep to the concurrency of each queue, so the server has room for all.
func newServer(r *workerRun) *asynq.Server {
	queues := map[string]int{}
	concurrency := 0
	for name, f := range r.fetchers {
		queues[name] = 1
		concurrency += f.h.concurrency
	}
	store := &workStore{UniversalClient: r.rdb, handoff: r.handoff, stopping: r.phase.stopping}
	return asynq.NewServerFromRedisClient(store, asynq.Config{
		Concurrency: concurrency,
		Queues:      queues,
		// There is no order among the queues; but without this asynq shuffles
		// them each time it asks the store for a task.
		StrictPriority: true,
		// The store waits for work; asynq's own sleep would come on top.
		TaskCheckInterval: 1,
		// Fetchers put delayed jobs in line.
		DelayedTaskCheckInterval: never,
		JanitorInterval:          15 * time.Second,
		ShutdownTimeout:          r.drain + drainGrace,
		Logger:                   asynqLogger{r.log},
		LogLevel:                 asynq.InfoLevel,
	})
}
