package socket

import (
	"context"
	"fmt"

	"github.com/queuerun/queuerun/jobs"
)

// MaxSent is how many bytes a message may have that is sent, as it is in a frame: 16
// MiB, as the payload of a job.
const MaxSent = 16 << 20

// MaxRecipients is how many distinct users one To may name.
const MaxRecipients = 100

// Send sends v to the current user, on every device and on whichever server it
// is connected; where there is no current user, to the current connection only;
// where there is neither, it returns ErrNobody. A string is sent as a text
// frame, a []byte as a binary frame, anything else as JSON in a text frame. What has
// more than MaxSent bytes then is refused with ErrTooLarge.
//
// Send returns nil once Redis has the message. From then on every connection
// that the user has on a living server receives it, in the order of the sends
// to this user, or is closed with CloseMissed. An error that matches
// ErrUncertain means that they may or may not receive it.
func Send[T any](ctx context.Context, v T, opts ...SendOption) error {
	o, err := applySendOptions(opts)
	if err != nil {
		return err
	}
	f, err := encode(v)
	if err != nil {
		return err
	}
	return toCurrent(ctx, f, o)
}

// toCurrent sends a frame to the current user, or else the current connection.
func toCurrent(ctx context.Context, f frame, o sendOptions) error {
	if user := jobs.UserID(ctx); user != "" {
		if err := checkUserID(user); err != nil {
			return err
		}
		s, err := senderFrom(ctx)
		if err != nil {
			return err
		}
		return s.send(ctx, []channel{userChannel(user)}, f, o)
	}
	if c := connectionFrom(ctx); c != nil {
		if o.fallback != nil {
			return fmt.Errorf("%w: the message is for a connection without a user", ErrElse)
		}
		return c.send(f)
	}
	if _, err := senderFrom(ctx); err != nil {
		return err
	}
	return ErrNobody
}

// Recipients are who a message is for.
type Recipients struct {
	users []string
	topic *string
}

// To names the users that a message is for: 1 to MaxRecipients distinct ids,
// none of them empty. Send reports it when they are not.
func To(userIDs ...string) Recipients { return Recipients{users: userIDs} }

// Topic names the topic that a message is for: it reaches every device of every
// user who has joined it.
func Topic(name string) Recipients { return Recipients{topic: &name} }

// Send sends v to every connection of every one of the recipients, as the
// function Send does for the current user. It works with every context that
// carries a Sender, those of schedules included. When the recipients are wrong,
// nothing is sent. When Redis fails in the middle, some of the users may receive
// the message; the error tells how many.
func (r Recipients) Send(ctx context.Context, v any, opts ...SendOption) error {
	channels, err := r.channels()
	if err != nil {
		return err
	}
	return sendTo(ctx, channels, v, opts)
}

// Broadcast sends v to every connection of every server, also to anonymous ones,
// in the order of the broadcasts.
func Broadcast(ctx context.Context, v any, opts ...SendOption) error {
	return sendTo(ctx, []channel{broadcast}, v, opts)
}

func sendTo(ctx context.Context, channels []channel, v any, opts []SendOption) error {
	o, err := applySendOptions(opts)
	if err != nil {
		return err
	}
	f, err := encode(v)
	if err != nil {
		return err
	}
	s, err := senderFrom(ctx)
	if err != nil {
		return err
	}
	return s.send(ctx, channels, f, o)
}

// send sends a frame to some channels.
func (s *Sender) send(ctx context.Context, channels []channel, f frame, o sendOptions) error {
	if err := s.check(); err != nil {
		return err
	}
	if o.fallback != nil {
		return s.sendElse(ctx, channels, f, o)
	}
	return s.dispatch(s.newDispatch(ctx, channels, record{frame: f, key: o.key}, o))
}

func (r Recipients) channels() ([]channel, error) {
	if r.topic != nil {
		return []channel{topicChannel(*r.topic)}, checkTopic(*r.topic)
	}
	var seen map[string]struct{}
	if len(r.users) > 1 {
		seen = make(map[string]struct{}, len(r.users))
	}
	users := make([]channel, 0, len(r.users))
	for i, id := range r.users {
		if id == "" {
			return nil, fmt.Errorf("%w: recipient %d of %d", ErrEmptyUserID, i+1, len(r.users))
		}
		if err := checkUserID(id); err != nil {
			return nil, err
		}
		if _, again := seen[id]; again {
			continue
		}
		if seen != nil {
			seen[id] = struct{}{}
		}
		users = append(users, userChannel(id))
	}
	if len(users) == 0 || len(users) > MaxRecipients {
		return nil, fmt.Errorf("%w: got %d, want 1 to %d", ErrRecipients, len(users), MaxRecipients)
	}
	return users, nil
}
