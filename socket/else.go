package socket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"golang.org/x/sync/errgroup"
)

// fallback is the job that takes the place of a message.
type fallback struct {
	queue string
	push  func(ctx context.Context, id string) error
}

// fallbackID begins the id of every job that Else pushes, so that a client's
// acknowledgement can name no other.
const fallbackID = "else-"

// ErrElse: Else was used with a message that is for no user, or with a queue
// that cannot delay its jobs.
var ErrElse = errors.New("socket: Else is not possible here")

// Else pushes payload to a queue unless a device of the user acknowledges the
// message within d: a mail, a text message, a web push. The job is in the queue
// before the message is sent, to be started when d has passed, and the
// acknowledgement takes it out again; so it is there exactly once whichever
// process fails. It runs as the user whom the message was for, one for each of
// them. An acknowledgement that comes when the job has been started changes
// nothing.
//
// Clients of Protocol acknowledge by themselves when the application has handled
// the message. Other clients cannot: their users get the job too.
//
// Else is for messages to users, not for topics and broadcasts, and for standard
// queues, since a FIFO queue delays no job; otherwise the send returns ErrElse.
func Else[T any](queue *jobs.Queue[T], payload T, d time.Duration) SendOption {
	return func(o *sendOptions) {
		if strings.HasSuffix(queue.Name(), ".fifo") {
			o.err = fmt.Errorf("%w: queue %q delays no job", ErrElse, queue.Name())
		}
		o.fallback = &fallback{queue.Name(), func(ctx context.Context, id string) error {
			_, err := queue.Push(ctx, payload, jobs.In(d), jobs.ID(id))
			return err
		}}
	}
}

// sendElse sends a message to users each of whom has a job to fall back on.
func (s *Sender) sendElse(ctx context.Context, channels []channel, f frame, o sendOptions) error {
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		return fmt.Errorf("socket: send: %w", err)
	}
	var g errgroup.Group
	for _, ch := range channels {
		user, ok := ch.user()
		if !ok {
			return fmt.Errorf("%w: the message is not for users", ErrElse)
		}
		g.Go(func() error {
			id := fallbackID + rand.Text()
			if err := o.fallback.push(jobs.WithUserID(ctx, user), id); err != nil {
				return fmt.Errorf("socket: send: fallback for user %q: %w", user, err)
			}
			r := record{frame: f, key: o.key, ack: o.fallback.queue + "/" + id}
			err := s.dispatch(s.newDispatch(ctx, []channel{ch}, r, o))
			if err != nil && !errors.Is(err, ErrUncertain) {
				// The caller is told that nobody has it.
				err = errors.Join(err, client.Withdraw(context.WithoutCancel(ctx), o.fallback.queue, id))
			}
			return err
		})
	}
	return g.Wait()
}

// acknowledge takes back the job of a message that a client has.
func (h *hub) acknowledge(ctx context.Context, token string) {
	i := strings.LastIndexByte(token, '/')
	if i < 0 || !strings.HasPrefix(token[i+1:], fallbackID) {
		return // a client that makes up tokens
	}
	err := h.reaper.Jobs.Withdraw(ctx, token[:i], token[i+1:])
	if err != nil && !errors.Is(err, jobs.ErrNotFound) && !errors.Is(err, jobs.ErrStarted) && !errors.Is(err, jobs.ErrEnded) {
		h.log.Warn("socket: acknowledged message keeps its fallback", "token", token, "error", err)
	}
}
