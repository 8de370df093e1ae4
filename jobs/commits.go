package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// statsKept is how long asynq's figures of a day are kept.
const statsKept = 90 * 24 * time.Hour

// commits gathers the outcomes of a worker's runs: those that come while one
// trip to Redis is under way make the next trip together, in one step for each
// queue.
type commits struct {
	rdb      redis.UniversalClient
	requests chan commitRequest
}

type commitRequest struct {
	queue  string // as asynq has it
	args   []any
	answer chan commitAnswer
}

type commitAnswer struct {
	reply int64
	err   error
}

// do sends an outcome along with others and returns the script's reply to it.
func (c *commits) do(ctx context.Context, asynqQueue string, args []any) (int64, error) {
	request := commitRequest{asynqQueue, args, make(chan commitAnswer, 1)}
	select {
	case c.requests <- request:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	answer := <-request.answer
	return answer.reply, answer.err
}

// run makes trips until ctx ends. What do has handed over is always answered.
func (c *commits) run(ctx context.Context) {
	for {
		select {
		case request := <-c.requests:
			c.trip(ctx, c.gather(request))
		case <-ctx.Done():
			return
		}
	}
}

func (c *commits) gather(first commitRequest) map[string][]commitRequest {
	batch := map[string][]commitRequest{first.queue: {first}}
	for n := 1; n < mostAtOnce; n++ {
		select {
		case request := <-c.requests:
			batch[request.queue] = append(batch[request.queue], request)
		default:
			return batch
		}
	}
	return batch
}

// trip takes a batch to Redis and answers it.
func (c *commits) trip(ctx context.Context, batch map[string][]commitRequest) {
	unknown := c.send(ctx, batch, false)
	if len(unknown) > 0 {
		c.send(ctx, unknown, true)
	}
}

// send sends the outcomes and answers them, but returns those of which Redis
// said that it does not know the script.
func (c *commits) send(ctx context.Context, batch map[string][]commitRequest, inline bool) (unknown map[string][]commitRequest) {
	pipe := c.rdb.Pipeline()
	sent := make(map[string]*redis.Cmd, len(batch))
	for queue, requests := range batch {
		sent[queue] = finishScript.command(ctx, inline, []string{keyPrefix(queue) + "active"}, finishArgs(queue, requests))
		_ = pipe.Process(ctx, sent[queue])
	}
	_, _ = pipe.Exec(ctx) // Every command has its own error.
	unknown = map[string][]commitRequest{}
	for queue, cmd := range sent {
		if !inline && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			unknown[queue] = batch[queue]
			continue
		}
		answer(batch[queue], cmd)
	}
	return unknown
}

func finishArgs(asynqQueue string, requests []commitRequest) []any {
	now := time.Now().UTC()
	args := []any{now.Format(time.DateOnly), now.Add(statsKept).Unix()}
	for _, request := range requests {
		args = append(args, request.args...)
	}
	return queueArgs(asynqQueue, args)
}

func answer(requests []commitRequest, cmd *redis.Cmd) {
	replies, err := cmd.Int64Slice()
	if err == nil && len(replies) != len(requests) {
		err = errors.New("unexpected reply of the finish script")
	}
	for i, request := range requests {
		if err != nil {
			request.answer <- commitAnswer{err: err}
			continue
		}
		request.answer <- commitAnswer{reply: replies[i]}
	}
}
