package scheduler

import (
	"strconv"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

// QueueName is the built-in queue whose jobs are the ticks.
const QueueName = "schedules"

const (
	// What has run is kept for as long as ten intervals take, within these bounds.
	keptLeast = time.Hour
	keptMost  = 7 * 24 * time.Hour

	// scheduleParam is the job's parameter that has the schedule's name.
	scheduleParam = "schedule"
)

// tick is the payload of the job that stands for one tick, or one run by hand.
type tick struct {
	Name string `json:"name"`
	Cron string `json:"cron"`
	Unix int64  `json:"at"`
	Hand string `json:"hand,omitempty"` // tells the runs by hand apart
}

func newQueue() *jobs.Queue[tick] { return jobs.NewQueue[tick](QueueName) }

// id is the same in every scheduler.
func (t tick) id() string {
	if t.Hand != "" {
		return t.Name + ":hand:" + t.Hand
	}
	return t.Name + ":" + strconv.FormatInt(t.Unix, 10)
}

func (t tick) at() time.Time { return time.Unix(t.Unix, 0).UTC() }

// options are those of the job. Without an interval the schedule runs by hand only.
func (t tick) options(serial bool, interval time.Duration) []jobs.PushOption {
	kept := keptMost
	if interval > 0 {
		kept = min(keptMost, max(keptLeast, 10*min(interval, keptMost)))
	}
	options := []jobs.PushOption{jobs.ID(t.id()), jobs.Retain(kept), jobs.Param(scheduleParam, t.Name)}
	if serial {
		options = append(options, jobs.Serial(t.Name))
	}
	return options
}
