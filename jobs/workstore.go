package jobs

import (
	"context"
	"crypto/rand"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// workStore is the Redis that the asynq server of one queue sees. It puts
// scripts of ours in the place of asynq's for whatever starts or ends a run:
// dequeue.go and finish.go have them. Everything else passes.
type workStore struct {
	redis.UniversalClient
	server *server
	signal <-chan struct{}
	runs   runs

	// Asynq dequeues in one goroutine, which alone uses these.
	process  string // tells apart the servers of all processes
	started  uint64 // numbers the runs
	idle     bool   // the last look found nothing
	unsure   bool   // the last look may have started a run and lost the reply
	failures int    // how many looks in a row got an error
}

func newWorkStore(rdb redis.UniversalClient, s *server, signal <-chan struct{}) *workStore {
	return &workStore{UniversalClient: rdb, server: s, signal: signal, process: rand.Text()}
}

// EvalSha carries out a script of asynq's, or ours in its place.
func (s *workStore) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	switch shape := shapeOf(keys); shape {
	case shapeDequeue:
		return s.dequeue(ctx, keys, args)
	case shapeDone, shapeComplete, shapeRetry, shapeArchive, shapeRequeue:
		return s.finish(ctx, shape, keys, args)
	case shapeForward:
		return s.forward(ctx, s.UniversalClient.EvalSha(ctx, sha, keys, args...))
	default:
		return s.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
}

// Eval is what asynq falls back to when Redis does not know a script yet.
func (s *workStore) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	cmd := s.UniversalClient.Eval(ctx, script, keys, args...)
	if shapeOf(keys) == shapeForward {
		return s.forward(ctx, cmd)
	}
	return cmd
}

// forward announces jobs whose time has come.
func (s *workStore) forward(ctx context.Context, cmd *redis.Cmd) *redis.Cmd {
	if moved, err := cmd.Int(); err == nil && moved > 0 {
		// A worker that does not hear of it looks by itself within a second.
		_ = s.UniversalClient.Publish(ctx, wakeChannel(s.server.name), "").Err()
	}
	return cmd
}

func (s *workStore) claimKey() string { return keyPrefix(s.server.name) + "claim:" + s.process }

func (s *workStore) runID() string { return s.process + ":" + strconv.FormatUint(s.started, 10) }
