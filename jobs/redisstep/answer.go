package redisstep

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// ErrFull: Redis has reached its maxmemory and refuses what needs more of it.
// What was refused was not done, not even in part.
var ErrFull = errors.New("the memory of Redis is full: it has reached its maxmemory")

// Answered reports whether an error is what Redis replied, and so not a sign
// that a reply was lost. A step that Redis refused did nothing.
func Answered(err error) bool {
	answer := redis.Error(nil)
	return errors.As(err, &answer) && !errors.Is(err, redis.Nil)
}

// passingAnswers are those that come from a Redis that starts, fails over, moves
// slots, runs a script that takes long, or does not know a script yet.
var passingAnswers = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY ", "NOSCRIPT",
	"max number of clients reached",
}

// Passing reports whether Redis refused a command only for now, so that the
// same one may be taken in a moment. That Redis is full is not passing: it may
// last, and who adds is to hear of it.
func Passing(err error) bool {
	for _, answer := range passingAnswers {
		if redis.HasErrorPrefix(err, answer) {
			return true
		}
	}
	return false
}

// Explain returns the error with what it means, where Redis' own words are for
// experts: one that says that Redis is out of memory wraps ErrFull. Any other
// error, nil too, it returns as it is.
func Explain(err error) error {
	if err != nil && redis.HasErrorPrefix(err, "OOM ") && !errors.Is(err, ErrFull) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
