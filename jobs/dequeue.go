package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// idleWait is how long an idle server waits for a wake-up before it looks by
// itself, and so how late a job is found whose push was not announced: one from
// a foreign asynq client, or one that was run in the dashboard. Asynq has
// computed the lease of the job before it asks for one, so it cannot be long.
const idleWait = time.Second

// dequeue takes the place of asynq's: it waits while there is nothing to do,
// and starts the next job that may run.
func (s *workStore) dequeue(ctx context.Context, keys []string, args []any) *redis.Cmd {
	if !s.wait() {
		return failedCmd(ctx, redis.Nil)
	}
	message, err := s.look(ctx, keys, args[0])
	s.idle = errors.Is(err, redis.Nil)
	if err != nil && !s.idle {
		s.unsure = true
		s.failures++
		return failedCmd(ctx, err)
	}
	s.unsure, s.failures = false, 0
	if s.idle {
		return failedCmd(ctx, redis.Nil)
	}
	return valueCmd(ctx, message)
}

// wait returns false when the worker stops. After an error it waits longer each
// time, and a wake-up is no reason to hurry.
func (s *workStore) wait() bool {
	stopping := s.server.run.phase.stopping
	signal, limit := s.signal, idleWait
	switch {
	case s.failures > 0:
		signal, limit = nil, min(idleWait, 5*time.Millisecond<<min(s.failures, 10))
	case !s.idle:
		return stopping.Err() == nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-stopping.Done():
	case <-signal:
	case <-timer.C:
	}
	return stopping.Err() == nil
}

// look asks Redis for a job. The run it would start keeps its id until Redis
// has answered, so a run whose reply was lost is found again, not orphaned.
func (s *workStore) look(ctx context.Context, keys []string, leaseEnd any) (string, error) {
	if !s.unsure {
		s.started++
	}
	keys = append(keys[:len(keys):len(keys)], s.claimKey())
	for {
		reply, err := runScript(ctx, s.UniversalClient, dequeueScript, s.server.name, keys, leaseEnd, s.runID()).Result()
		if err != nil {
			return "", err
		}
		fields, ok := reply.([]any)
		if !ok {
			continue // Only jobs out of turn so far.
		}
		return s.begin(fields)
	}
}

// begin notes the run that the script has started.
func (s *workStore) begin(fields []any) (string, error) {
	if len(fields) != 5 {
		return "", errors.New("unexpected reply of the dequeue script")
	}
	id, _ := fields[0].(string)
	message, _ := fields[1].(string)
	starts, _ := fields[2].(int64)
	group, _ := fields[3].(string)
	sequence, _ := fields[4].(int64)
	s.runs.add(id, &jobRun{
		id:       s.runID(),
		attempt:  int(starts),
		sequence: sequence,
		grouped:  group != "",
		returned: make(chan struct{}),
	})
	return string(overrideMessage([]byte(message), s.server.h.retries)), nil
}

// giveBackClaim looks after a run that may have been started by a look whose
// reply never came, when the server has stopped.
func (s *workStore) giveBackClaim() {
	if !s.unsure {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	id, err := s.UniversalClient.Get(ctx, s.claimKey()).Result()
	if err != nil {
		return // Without Redis, the lease has to expire.
	}
	prefix := keyPrefix(s.server.name)
	keys := []string{prefix + "active", prefix + "lease", prefix + "pending", prefix + "t:" + id}
	_ = runScript(ctx, s.UniversalClient, requeueScript, s.server.name, keys, id, s.runID()).Err()
}
