package scheduler

import (
	"errors"

	"github.com/hibiken/asynq"
)

// duplicate reports whether a push failed because the job exists already.
func duplicate(err error) bool { return errors.Is(err, asynq.ErrTaskIDConflict) }
