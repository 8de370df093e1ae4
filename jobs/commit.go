package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// statsKept is how long asynq's figures of a day are kept.
const statsKept = 90 * 24 * time.Hour

// commit writes the outcome of a run, as often as it takes until the worker has
// stopped: the script sees when it is there already. It returns what was
// written, which is another outcome when the job was cancelled meanwhile.
func (f *fetcher) commit(job *jobRun, o outcome) outcome {
	ctx := f.run.phase.over
	wait := 50 * time.Millisecond
	for {
		reply, err := f.run.commits.do(ctx, f.commitCommand(ctx, job, o))
		switch {
		case err == nil && reply == 2:
			o = outcome{kind: archived, err: errors.Join(ErrCancelled, o.err)}
			continue
		case err == nil && reply == 0:
			f.log.Warn("the job was taken over meanwhile, its outcome here is dropped", "job", job.jobID, "attempt", job.attempt)
			return o
		case err == nil:
			return o
		}
		f.log.Warn("could not write the outcome of a job, trying again", "job", job.jobID, "error", err)
		pause(ctx, wait, nil)
		wait = min(2*wait, time.Second)
		if ctx.Err() != nil {
			f.log.Error("the outcome of a job is lost, it will be run again", "job", job.jobID, "error", err)
			f.run.unsettled.Store(true)
			return o
		}
	}
}

func (f *fetcher) commitCommand(ctx context.Context, job *jobRun, o outcome) finishCommand {
	now := time.Now().UTC()
	counted := 0
	if o.charged() {
		counted = 1
	}
	keep := max(time.Duration(job.message.retention)*time.Second, f.h.retain)
	return finishCommand{
		keys: []string{taskKey(f.name, job.jobID)},
		args: queueArgs(f.name, []any{
			job.jobID, job.owner, string(o.kind), o.message(job, f.h.retries), o.wait.Milliseconds(),
			int64(keep / time.Second), o.result, counted,
			now.Format(time.DateOnly), now.Add(statsKept).Unix(), job.message.uniqueKey,
		}),
		answer: make(chan finishAnswer, 1),
	}
}

// commits gathers the outcomes of a worker's runs: those that come while one
// trip to Redis is under way make the next trip together.
type commits struct {
	rdb      redis.UniversalClient
	commands chan finishCommand
}

type finishCommand struct {
	keys   []string
	args   []any
	answer chan finishAnswer
}

type finishAnswer struct {
	reply int
	err   error
}

// do sends a command along with others and returns its reply.
func (c *commits) do(ctx context.Context, command finishCommand) (int, error) {
	select {
	case c.commands <- command:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	answer := <-command.answer
	return answer.reply, answer.err
}

// run makes trips until ctx ends. What do has handed over is always answered.
func (c *commits) run(ctx context.Context) {
	for {
		select {
		case command := <-c.commands:
			c.trip(ctx, c.gather(command))
		case <-ctx.Done():
			return
		}
	}
}

func (c *commits) gather(first finishCommand) []finishCommand {
	batch := []finishCommand{first}
	for len(batch) < mostAtOnce {
		select {
		case command := <-c.commands:
			batch = append(batch, command)
		default:
			return batch
		}
	}
	return batch
}

func (c *commits) trip(ctx context.Context, batch []finishCommand) {
	unknown := c.send(ctx, batch, false)
	if len(unknown) > 0 {
		c.send(ctx, unknown, true)
	}
}

// send sends the commands and answers them, but returns those of which Redis
// said that it does not know the script.
func (c *commits) send(ctx context.Context, batch []finishCommand, inline bool) (unknown []finishCommand) {
	pipe := c.rdb.Pipeline()
	sent := make([]*redis.Cmd, len(batch))
	for i, command := range batch {
		sent[i] = finishScript.command(ctx, inline, command.keys, command.args)
		_ = pipe.Process(ctx, sent[i])
	}
	_, _ = pipe.Exec(ctx) // Every command has its own error.
	for i, cmd := range sent {
		if !inline && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			unknown = append(unknown, batch[i])
			continue
		}
		reply, err := cmd.Int()
		batch[i].answer <- finishAnswer{reply, err}
	}
	return unknown
}
