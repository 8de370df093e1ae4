package socket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
	"github.com/redis/go-redis/v9"
)

// What Else promises.

func TestElseRunsOnceWhenNobodyIsThere(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const within = 300 * time.Millisecond
		o := newOffice(t, rdb)
		o.open(nil)
		began := time.Now()
		o.send("ada", "hello", within)
		o.expectWritten("ada: hello")
		if after := o.at["ada: hello"].Sub(began); after < within {
			t.Errorf("the fallback ran %v after the send, want %v at least", after, within)
		}
	})
}

func TestAnAcknowledgementCancelsElse(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		o.send("ada", "one", time.Hour)
		token, at := r.expectElse("one")
		if at == "" {
			t.Error("the message has no position")
		}
		info, err := o.job(token)
		if err != nil || info.State != jobs.Scheduled || info.Job.UserID != "ada" || string(info.Payload) != `{"Subject":"one"}` {
			t.Errorf("the fallback is %+v, %v", info, err)
		}
		if until := time.Until(info.Due); until < 59*time.Minute || until > time.Hour {
			t.Errorf("the fallback is due in %v, want an hour", until)
		}
		r.acknowledge(token)
		o.expectGone(token)
		r.acknowledge(token) // again changes nothing
		o.send("ada", "two", time.Hour)
		token, _ = r.expectElse("two")
		r.acknowledge(token)
		o.expectGone(token)
	})
}

func TestOneOfTwoDevicesAcknowledges(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		o := newOffice(t, rdb)
		var devices []resumer
		for range 2 {
			s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
			r := dialResumer(t, s.URL+"?user=ada")
			r.connect(nil)
			devices = append(devices, r)
		}
		o.send("ada", "hello", time.Hour)
		first, _ := devices[0].expectElse("hello")
		second, _ := devices[1].expectElse("hello")
		if first != second {
			t.Errorf("tokens %q and %q of one message", first, second)
		}
		devices[1].acknowledge(second)
		o.expectGone(second)
	})
}

func TestElseRunsForWhoDoesNotAcknowledge(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		o.open(nil)
		plain := dial(t, s.URL+"?user=plain")
		silent := dialResumer(t, s.URL+"?user=silent")
		silent.connect(nil)
		o.send("plain", "hello", 300*time.Millisecond)
		o.send("silent", "hello", 300*time.Millisecond)
		plain.expect("hello") // without any token
		token, _ := silent.expectElse("hello")
		o.expectWritten("plain: hello", "silent: hello")
		silent.acknowledge(token) // too late, which is no error
		o.send("silent", "more", time.Hour)
		silent.expectElse("more")
	})
}

func TestAMissedMessageIsAcknowledged(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		r.Close()
		o.send("ada", "missed", time.Hour)
		again := dialResumer(t, s.URL+"?user=ada")
		again.connect(at)
		token, _ := again.expectElse("missed")
		again.acknowledge(token)
		o.expectGone(token)
	})
}

// An ephemeral message wants to be acknowledged too, by who is there.
func TestElseOfAnEphemeralMessage(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		o.send("ada", "ring", time.Hour, Ephemeral())
		token, at := r.expectElse("ring")
		if at != "" {
			t.Errorf("an ephemeral message has the position %q", at)
		}
		r.acknowledge(token)
		o.expectGone(token)
	})
}

func TestNobodyAcknowledgesForAnotherUser(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		ada, bob := dialResumer(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=bob")
		ada.connect(nil)
		bob.connect(nil)
		o.send("ada", "hello", time.Hour)
		token, _ := ada.expectElse("hello")
		other, err := mails.Push(o.ctx, mail{"of somebody else"}, jobs.In(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		_, id, _ := strings.Cut(token, "/")
		for _, forged := range []string{
			token, // of another user
			mails.Name() + "/" + other,
			mails.Name() + "/" + fallbackID("bob"),
			"/" + id, id, "/", "x", "\x00", strings.Repeat("/", maxToken),
		} {
			bob.acknowledge(forged)
		}
		bob.say(`{"ack":"` + strings.Repeat("x", 10_000) + "/" + id + `"}`) // too long to be answered
		bob.acknowledge("x")
		if _, err := o.job(token); err != nil {
			t.Errorf("another user acknowledged: %v", err)
		}
		if _, err := o.jobs.Get(o.ctx, mails.Name(), other); err != nil {
			t.Errorf("another job was taken back: %v", err)
		}
		ada.acknowledge(token)
		o.expectGone(token)
	})
}

func TestAnAcknowledgementLeavesAJobThatHasBegun(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		begun, finish := make(chan struct{}), make(chan struct{})
		o.open(func(ctx context.Context, m mail) error {
			close(begun)
			select {
			case <-finish:
				return o.write(ctx, m)
			case <-ctx.Done(): // the test has failed
				return ctx.Err()
			}
		})
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		o.send("ada", "hello", time.Millisecond)
		token, _ := r.expectElse("hello")
		<-begun
		r.acknowledge(token)
		if info, err := o.job(token); err != nil || info.State != jobs.Active {
			t.Errorf("the job is %+v, %v", info, err)
		}
		close(finish)
		o.expectWritten("ada: hello")
	})
}

// A device acknowledges just when the time is over: there is a mail or there is
// none, but never two, and none is left behind.
func TestAnAcknowledgementAtTheLastMoment(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		o.open(nil)
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		const messages, within, apart = 40, 100 * time.Millisecond, 15 * time.Millisecond
		for i := range messages {
			o.send("ada", fmt.Sprint(i), within+time.Duration(i)*apart)
		}
		var tokens []string
		for i := range messages {
			token, _ := r.expectElse(fmt.Sprint(i))
			tokens = append(tokens, token)
		}
		for i, token := range tokens {
			if info, err := o.job(token); err == nil {
				pause(t.Context(), time.Until(info.Due.Add(time.Duration(i%5-2)*time.Millisecond)))
			}
			r.acknowledge(token)
		}
		o.expectWaiting(0)
		o.mu.Lock()
		defer o.mu.Unlock()
		for name, times := range o.written {
			if times != 1 {
				t.Errorf("%q was written %d times", name, times)
			}
		}
		t.Logf("%d of %d mails were written", len(o.written), messages)
	})
}

func TestEveryRecipientHasAFallbackOfItsOwn(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		var users []string
		for i := range MaxRecipients {
			users = append(users, userName(i))
		}
		r := dialResumer(t, s.URL+"?user="+users[7])
		r.connect(nil)
		if err := To(users...).Send(o.ctx, "hello", Else(mails, mail{"hello"}, time.Hour)); err != nil {
			t.Fatal(err)
		}
		o.expectWaiting(len(users))
		token, _ := r.expectElse("hello")
		r.acknowledge(token)
		o.expectGone(token)
		left := map[string]bool{}
		for _, id := range o.waiting() {
			info, err := o.job(mails.Name() + "/" + id)
			if err != nil || string(info.Payload) != `{"Subject":"hello"}` || !strings.HasPrefix(id, fallbackID(info.Job.UserID)) {
				t.Errorf("a fallback is %+v, %v", info, err)
			}
			left[info.Job.UserID] = true
		}
		if len(left) != len(users)-1 || left[users[7]] {
			t.Errorf("fallbacks of %d users are left, want all %d but one", len(left), len(users))
		}
	})
}

// The job is of the user whom the message was for, whoever sends it.
func TestElseInAHandler(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		o := newOffice(t, rdb)
		s := serve(t, &Server{Redis: rdb, Jobs: o.jobs, Handlers: Handlers{OnConnect: byQuery,
			OnMessage: Text(func(ctx context.Context, to string) error {
				if to == "me" {
					return Send(ctx, "mine", Else(mails, mail{"mine"}, 100*time.Millisecond))
				}
				return To(to).Send(ctx, "yours", Else(mails, mail{"yours"}, 100*time.Millisecond))
			})}})
		o.open(nil)
		d := dial(t, s.URL+"?user=ada")
		d.say("bob")
		d.say("me")
		d.expect("mine")
		o.expectWritten("ada: mine", "bob: yours")
	})
}

func TestElseIsRefused(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		o := newOffice(t, rdb)
		ordered, unknown, odd := jobs.NewQueue[mail]("mails.fifo"), jobs.NewQueue[mail]("letters"), jobs.NewQueue[any](mails.Name())
		in := func(d time.Duration) SendOption { return Else(mails, mail{"x"}, d) }
		for name, test := range map[string]struct {
			send func() error
			want error
		}{
			"a FIFO queue":         {func() error { return To("ada").Send(o.ctx, "x", Else(ordered, mail{"x"}, time.Hour)) }, ErrElse},
			"no time":              {func() error { return To("ada").Send(o.ctx, "x", in(0)) }, ErrElse},
			"less than none":       {func() error { return To("ada").Send(o.ctx, "x", in(-time.Hour)) }, ErrElse},
			"a topic":              {func() error { return Topic("room").Send(o.ctx, "x", in(time.Hour)) }, ErrElse},
			"everybody":            {func() error { return Broadcast(o.ctx, "x", in(time.Hour)) }, ErrElse},
			"Latest":               {func() error { return To("ada").Send(o.ctx, "x", in(time.Hour), Latest("k")) }, ErrElse},
			"two":                  {func() error { return To("ada").Send(o.ctx, "x", in(time.Hour), in(time.Minute)) }, ErrElse},
			"no client":            {func() error { return To("ada").Send(outside(rdb), "x", in(time.Hour)) }, jobs.ErrNoClient},
			"an unknown queue":     {func() error { return To("ada").Send(o.ctx, "x", Else(unknown, mail{"x"}, time.Hour)) }, jobs.ErrUnknownQueue},
			"nobody":               {func() error { return To().Send(o.ctx, "x", in(time.Hour)) }, ErrRecipients},
			"a payload of no JSON": {func() error { return To("ada", "bob").Send(o.ctx, "x", Else[any](odd, func() {}, time.Hour)) }, nil},
			"a message of no JSON": {func() error { return To("ada").Send(o.ctx, func() {}, in(time.Hour)) }, nil},
		} {
			err := test.send()
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
			if errors.Is(err, ErrUncertain) {
				t.Errorf("%s: %v, though nothing was sent", name, err)
			}
		}
		if left := o.waiting(); len(left) > 0 {
			t.Errorf("fallbacks are left: %q", left)
		}
		for _, ch := range []channel{userChannel("ada"), userChannel("bob"), topicChannel("room"), broadcast} {
			if n := rdb.Exists(o.ctx, newKeyspace("").log(ch)).Val(); n > 0 {
				t.Errorf("a message was sent to %s", ch)
			}
		}
	})
}

func TestElseOfAConnectionWithoutAUser(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		o := newOffice(t, rdb)
		s := serve(t, &Server{Redis: rdb, Jobs: o.jobs, Handlers: Handlers{OnMessage: func(ctx context.Context, _ *Message) error {
			return Send(ctx, "x", Else(mails, mail{"x"}, time.Hour))
		}}})
		d := dial(t, s.URL)
		d.say("hello")
		if answer := d.next(); !strings.Contains(answer, strings.TrimPrefix(ErrElse.Error(), "socket: ")) {
			t.Errorf("answered with %s", answer)
		}
		if left := o.waiting(); len(left) > 0 {
			t.Errorf("fallbacks are left: %q", left)
		}
	})
}

// When the message was not accepted, its fallback is taken back; when that is not
// known, it stays.
func TestAFallbackOfAMessageThatWasNotAccepted(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		o := newOffice(t, rdb)
		state := newKeyspace("").state(userChannel("ada"))
		if err := rdb.Set(o.ctx, state, "9 of another version", 0).Err(); err != nil {
			t.Fatal(err)
		}
		err := To("ada", "bob").Send(o.ctx, "x", Else(mails, mail{"x"}, time.Hour))
		if err == nil || errors.Is(err, ErrUncertain) || !strings.Contains(err.Error(), "1 of 2 recipients") {
			t.Errorf("sent to ada and bob: %v", err)
		}
		left := o.waiting()
		if len(left) != 1 || !strings.HasPrefix(left[0], fallbackID("bob")) {
			t.Errorf("the fallbacks %q are left, want bob's", left)
		}
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		proxy.CutReplies(1, "eval")
		err = To("carol").Send(NewSender(redistest.Client(t, proxy.Addr)).Context(o.ctx), "x", Else(mails, mail{"x"}, time.Hour))
		if !errors.Is(err, ErrUncertain) {
			t.Errorf("sent to carol: %v, want ErrUncertain", err)
		}
		if left := o.waiting(); len(left) != 2 {
			t.Errorf("the fallbacks %q are left, want also carol's", left)
		}
	})
}

// The Go client acknowledges when the application has handled the message.
func TestTheClientAcknowledgesWhatWasHandled(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s, o := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}), newOffice(t, rdb)
		handling, finish := make(chan string), make(chan error)
		c := &client.Client{URL: s.URL + "?user=ada", Logger: quiet, Backoff: client.Backoff{First: time.Millisecond},
			OnMessage: func(ctx context.Context, m client.Message) error {
				handling <- m.String()
				select {
				case err := <-finish:
					return err
				case <-ctx.Done(): // the test has failed
					return ctx.Err()
				}
			}}
		runClient(t, c)
		o.send("ada", "hello", time.Hour)
		for _, verdict := range []error{errors.New("not now"), nil} {
			if text := <-handling; text != "hello" {
				t.Errorf("received %q", text)
			}
			if n := len(o.waiting()); n != 1 {
				t.Errorf("%d fallbacks while the message is handled, want one", n)
			}
			finish <- verdict
		}
		o.expectWaiting(0)
	})
}

// An acknowledgement that came to nothing is repeated on the next connection, though
// the message does not come again.
func TestTheClientAcknowledgesUntilTheServerKnows(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var refused, refusing atomic.Int32
		refusing.Store(1)
		o := newOffice(t, rdb)
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery},
			Jobs: jobs.NewClient(intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
				if strings.Contains(fmt.Sprint(cmd.Args()...), "else-") && refusing.Load() == 1 {
					refused.Add(1)
					cmd.SetErr(refusal("NOPERM"))
					return cmd.Err()
				}
				return next(ctx, cmd)
			}))})
		var handled atomic.Int32
		runClient(t, &client.Client{URL: s.URL + "?user=ada", Logger: quiet, Backoff: client.Backoff{First: time.Millisecond},
			OnMessage: func(context.Context, client.Message) error { handled.Add(1); return nil }})
		o.send("ada", "hello", time.Hour)
		redistest.Eventually(t, patience, "an acknowledgement", func() bool { return refused.Load() > 0 })
		if n := len(o.waiting()); n != 1 {
			t.Errorf("%d fallbacks are left, want one", n)
		}
		refusing.Store(0)
		for _, c := range s.current().connections() {
			c.cut()
		}
		o.expectWaiting(0)
		if n := handled.Load(); n != 1 {
			t.Errorf("the message was handled %d times", n)
		}
	})
}

// runClient runs a client until the test ends, and returns when it is connected.
func runClient(t testing.TB, c *client.Client) {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		leave()
		if err := <-done; err != nil {
			t.Errorf("client: %v", err)
		}
	})
	redistest.Eventually(t, patience, "the client to be connected", func() bool { return c.State() == client.Connected })
}
