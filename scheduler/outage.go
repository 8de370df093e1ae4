package scheduler

import (
	"log/slog"
	"time"
)

// tellEvery is how often it is said that something still fails.
const tellEvery = time.Minute

// outage is a time in which every round fails. It is told when it begins, once a
// minute while it lasts, and when it is over.
type outage struct {
	began, told time.Time
	rounds      int
}

func (o *outage) failed(log *slog.Logger, err error, now time.Time) {
	if o.rounds++; o.rounds == 1 {
		o.began = now
	} else if now.Sub(o.told) < tellEvery {
		return
	}
	o.told = now
	log.Warn("scheduler: trying again, until it works", "error", err, "failed", o.rounds)
}

func (o *outage) over(log *slog.Logger, now time.Time) {
	if o.rounds > 0 {
		log.Info("scheduler: it works again", "after", now.Sub(o.began), "failed", o.rounds)
	}
	*o = outage{}
}
