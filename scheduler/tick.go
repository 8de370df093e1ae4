package scheduler

import (
	"strconv"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

// QueueName is the built-in queue whose jobs are the ticks.
const QueueName = "schedules"

// remembered is how long Redis keeps the id of a tick after its run, and so how
// long a scheduler that was held up may still enqueue one without running it twice.
const remembered = time.Hour

// tick is the payload of the job that stands for one tick.
type tick struct {
	Name string `json:"name"`
	Cron string `json:"cron"`
	Unix int64  `json:"at"`
}

func newQueue() *jobs.Queue[tick] { return jobs.NewQueue[tick](QueueName) }

// id is the same in every scheduler, which is what makes the tick run once.
func (t tick) id() string { return t.Name + ":" + strconv.FormatInt(t.Unix, 10) }

func (t tick) at() time.Time { return time.Unix(t.Unix, 0).UTC() }
