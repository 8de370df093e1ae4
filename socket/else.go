package socket

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redisstep"
)

// fallback is the job that takes the place of a message.
type fallback struct {
	queue string
	push  func(ctx context.Context, id string) error
}

// fallbackID begins the id of every job that Else pushes for a user, so that the
// acknowledgement of a client can name no other user's, and no other job.
func fallbackID(user string) string {
	sum := sha256.Sum256([]byte(user))
	return "else-" + base32.HexEncoding.EncodeToString(sum[:10]) + "-"
}

// ErrElse: Else was used with a message that is for no user or that another may
// take the place of, with a queue that cannot delay its jobs, with no time, or
// twice.
var ErrElse = errors.New("socket: Else is not possible here")

// Else pushes payload to a queue unless a device of the user acknowledges the
// message within d, at least a millisecond: a mail, a text message, a web push.
// The job is in the queue before the message is sent, to be started when d has
// passed, and the first acknowledgement takes it out again. So it is there exactly
// once whichever process fails; when it is the sender, between the two, the job
// runs although nobody was sent the message. It runs as the user whom the message
// was for, one for each of them. An acknowledgement that comes when the job has
// been started changes nothing. When the send returns an error that does not match
// ErrUncertain, the job is gone too.
//
// Clients of Protocol acknowledge by themselves when the application has handled
// the message, also one that they missed and that was in the log. They do so again
// on each new connection until the server has said that it knows, so that an
// acknowledgement that was lost with a connection is only late. Other clients
// cannot: their users get the job too.
//
// Else is for messages to users, not for topics, broadcasts, and Latest, and for
// standard queues, since a FIFO queue delays no job; otherwise the send returns
// ErrElse. The context must carry a jobs.Client.
func Else[T any](queue *jobs.Queue[T], payload T, d time.Duration) SendOption {
	return func(o *sendOptions) {
		switch {
		case strings.HasSuffix(queue.Name(), ".fifo"):
			o.fail(fmt.Errorf("%w: queue %q delays no job", ErrElse, queue.Name()))
		case d < time.Millisecond:
			o.fail(fmt.Errorf("%w: within %v, want a millisecond at least", ErrElse, d))
		case o.fallback != nil:
			o.fail(fmt.Errorf("%w: a message has one fallback", ErrElse))
		}
		o.fallback = &fallback{queue.Name(), func(ctx context.Context, id string) error {
			_, err := queue.Push(ctx, payload, jobs.In(d), jobs.ID(id))
			return err
		}}
	}
}

// sendElse sends a message to users each of whom has a job to fall back on.
func (s *Sender) sendElse(ctx context.Context, channels []channel, f frame, o sendOptions) error {
	users := make([]string, len(channels))
	for i, ch := range channels {
		var ok bool
		if users[i], ok = ch.user(); !ok {
			return fmt.Errorf("%w: the message is not for users", ErrElse)
		}
	}
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		return fmt.Errorf("socket: send: %w", err)
	}
	errs := make([]error, len(users))
	var sending sync.WaitGroup
	for i, user := range users {
		sending.Go(func() { errs[i] = s.sendOrElse(ctx, client, user, f, o) })
	}
	sending.Wait()
	failed := 0
	for _, one := range errs {
		if one == nil {
			continue
		}
		err = one // one of them says enough
		if !errors.Is(one, ErrUncertain) {
			failed++
		}
	}
	if err != nil && len(users) > 1 {
		err = fmt.Errorf("socket: send: %d of %d recipients may have the message: %w", len(users)-failed, len(users), err)
	}
	return err
}

// withdrawTimeout bounds how long a send that failed tries to take back its job.
const withdrawTimeout = 5 * time.Second

// sendOrElse sends a message to one user.
func (s *Sender) sendOrElse(ctx context.Context, client *jobs.Client, user string, f frame, o sendOptions) error {
	queue, id := o.fallback.queue, fallbackID(user)+rand.Text()
	err := o.fallback.push(jobs.WithUserID(ctx, user), id)
	if err != nil {
		err = fmt.Errorf("socket: send: fallback for user %q: %w", user, err)
	} else {
		r := record{frame: f, key: o.key, ack: queue + "/" + id}
		err = s.dispatch(s.newDispatch(ctx, []channel{userChannel(user)}, r, o))
	}
	if err == nil || errors.Is(err, ErrUncertain) {
		return err
	}
	// The caller is told that the user gets neither. A push that failed may have
	// reached Redis.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	if left := client.Withdraw(ctx, queue, id); left != nil && !errors.Is(left, jobs.ErrNotFound) {
		err = errors.Join(err, fmt.Errorf("the fallback is left: %w", left))
	}
	return err
}

// maxToken is more than any token of ours has.
const maxToken = 400

// acknowledge takes back the job of a message that the client has, and says so. A
// client that is not told, because its connection or the server died or Redis is
// away, says it again on its next connection.
func (c *connection) acknowledge(token string) {
	if len(token) > maxToken || !c.isIn(broadcast) { // not accepted yet
		return
	}
	if mine := c.mine(); mine != nil && !c.hub.acknowledge(mine.user, token) {
		return
	}
	_ = c.post(prepare(controlFrame(struct {
		Acked string `json:"acked"`
	}{token}))) // a client that is gone misses it
}

// acknowledge takes back the job of a message that a client of the user has. It
// returns false when it could not; Redis was away for a while then.
func (h *hub) acknowledge(user, token string) bool {
	i := strings.LastIndexByte(token, '/')
	if i < 0 || !strings.HasPrefix(token[i+1:], fallbackID(user)) {
		return true // a client that makes up tokens, or has one of another user
	}
	ctx, cancel := h.redisContext()
	defer cancel()
	for {
		err := h.reaper.Jobs.Withdraw(ctx, token[:i], token[i+1:])
		switch {
		case err == nil, errors.Is(err, jobs.ErrNotFound), errors.Is(err, jobs.ErrStarted), errors.Is(err, jobs.ErrEnded):
			return true
		case ctx.Err() != nil, redisstep.Answered(err) && !redisstep.Passing(err):
			h.log.Warn("socket: acknowledged message keeps its fallback", "user", user, "token", token, "error", err)
			return false
		}
		pause(ctx, retryPause)
	}
}
