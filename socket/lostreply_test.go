package socket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// These tests lose replies of Redis one at a time, where it hurts.

// interception is a client's hook that may answer a command in Redis' place, or
// after it. It is shown the first command of a pipeline.
type interception func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error

func (i interception) DialHook(next redis.DialHook) redis.DialHook { return next }

func (i interception) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return i(ctx, cmds[0], func(ctx context.Context, _ redis.Cmder) error { return next(ctx, cmds) })
	}
}

func (i interception) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return i(ctx, cmd, next) }
}

// intercepted returns another client of the same Redis.
func intercepted(t *testing.T, rdb *redis.Client, i interception) *redis.Client {
	t.Helper()
	other := redistest.Client(t, rdb.Options().Addr)
	other.AddHook(i)
	return other
}

func runs(cmd redis.Cmder, s script) bool {
	args := cmd.Args()
	return len(args) > 1 && (args[1] == s.Hash() || args[1] == s.source)
}

func lost(cmd redis.Cmder) error {
	cmd.SetErr(errors.New("i/o timeout"))
	return cmd.Err()
}

func TestAUserWhoReturnsAfterALostUnregisterIsReached(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var lose atomic.Bool
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			err := next(ctx, cmd)
			if err == nil && lose.Load() && runs(cmd, unregisterScript) {
				return lost(cmd)
			}
			return err
		})
		s := serve(t, &Server{Redis: other, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		d := dial(t, s.URL+"?user=ada")
		sub := s.hub.Load().find(userChannel("ada"))
		lose.Store(true)
		d.Close()
		redistest.Eventually(t, patience, "the user to be offline", func() bool { return !online(t, ctx, "ada") })
		sub.sync.Lock() // the leave is over
		lose.Store(false)
		sub.sync.Unlock()
		again := dial(t, s.URL+"?user=ada")
		if !online(t, ctx, "ada") {
			t.Error("connected and not online")
		}
		if err := To("ada").Send(ctx, "news"); err != nil {
			t.Fatal(err)
		}
		again.expect("news")
	})
}

func TestAUserWhoReturnsIsNotSentWhatCameBefore(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var lose atomic.Bool
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if lose.Load() && (cmd.Name() == "lrange" || cmd.Name() == "srem") {
				return lost(cmd)
			}
			return next(ctx, cmd)
		})
		s := serve(t, &Server{Redis: other, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		d := dial(t, s.URL+"?user=ada")
		lose.Store(true)
		d.Close()
		redistest.Eventually(t, patience, "the user to be offline", func() bool { return !online(t, ctx, "ada") })
		if err := To("ada").Send(ctx, "while away"); err != nil {
			t.Fatal(err)
		}
		lose.Store(false)
		again := dial(t, s.URL+"?user=ada")
		if err := To("ada").Send(ctx, "news"); err != nil {
			t.Fatal(err)
		}
		again.expect("news")
	})
}

func TestARecordOfSuccessIsRepeatedInsteadOfTheHandler(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var records, calls atomic.Int32
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if runs(cmd, appliedScript) && records.Add(1) == 1 {
				return lost(cmd)
			}
			return next(ctx, cmd)
		})
		ctx, k := context.Background(), newKeyspace("")
		if err := rdb.HSet(ctx, k.presence("ada"), "online", "1").Err(); err != nil {
			t.Fatal(err)
		}
		a := applier{Handlers{OnOnline: func(context.Context, string) error { calls.Add(1); return nil }}, other, k}
		for range 2 {
			if err := a.apply(ctx, transition{User: "ada", Generation: 5, Online: true}); err != nil {
				t.Fatal(err)
			}
		}
		if calls.Load() != 1 {
			t.Errorf("the handler was called %d times", calls.Load())
		}
	})
}

// readingLogs may answer in Redis' place when a log is read.
func readingLogs(answer func(ctx context.Context) error) interception {
	return func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		if runs(cmd, replayScript) {
			if err := answer(ctx); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		return next(ctx, cmd)
	}
}

// refusal is an error that Redis itself replied.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

// What a client was told that it lost is over: the log that can be read again
// gives it nothing that it has.
func TestALogThatCouldNotBeReadRepeatsNothing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var fail atomic.Bool
		other := intercepted(t, rdb, readingLogs(func(context.Context) error {
			if fail.Load() {
				return refusal("ERR on purpose")
			}
			return nil
		}))
		s := serve(t, &Server{Redis: other, Handlers: Handlers{OnConnect: byQuery}})
		ctx, sender := outside(rdb), NewSender(inSlots{rdb})
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sendText(t, ctx, To("ada"), "0")
		r.expectText("", "0")
		fail.Store(true)
		appendOnly(ctx, sender, "ada", "lost")
		sendText(t, ctx, To("ada"), "lost too")
		m := r.receive()
		if m.Missed == nil || *m.Missed != nameUser {
			t.Fatalf("received %+v, want to be told that messages are missed", m)
		}
		at[nameUser] = m.At
		fail.Store(false)
		appendOnly(ctx, sender, "ada", "1") // a gap again
		sendText(t, ctx, To("ada"), "2")
		again := dialResumer(t, s.URL+"?user=ada")
		again.connect(at)
		for _, d := range []resumer{r, again} {
			d.expectText("", "1")
			d.expectText("", "2")
		}
	})
}

// A server that leaves an inbox while it waits for a log leaves the gap to the
// registration under its new lease, and tells nobody of a loss.
func TestAGapOutlivesAnInbox(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var reads atomic.Int64
		other := intercepted(t, rdb, readingLogs(func(ctx context.Context) error {
			if reads.Add(1) > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}))
		s := serve(t, &Server{Redis: other, Lease: time.Second, Handlers: Handlers{OnConnect: byQuery}})
		ctx, sender := outside(rdb), NewSender(inSlots{rdb})
		d := dial(t, s.URL+"?user=ada")
		sendText(t, ctx, To("ada"), "0")
		d.expect("0")
		appendOnly(ctx, sender, "ada", "1")
		sendText(t, ctx, To("ada"), "2")
		redistest.Eventually(t, patience, "the reader to wait for the log", func() bool { return reads.Load() == 1 })
		if err := rdb.ZRem(ctx, newKeyspace("").leases(), s.current().current.Load().server).Err(); err != nil {
			t.Fatal(err)
		}
		d.expect("1")
		d.expect("2")
	})
}

// The reader delivered something between the registration under a new lease and
// the reading of its reply.
func TestACatchUpThatIsOvertakenByTheInboxIsNoGap(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		ctx, h := outside(rdb), s.hub.Load()
		sub := h.find(userChannel("ada"))
		sub.mu.Lock()
		top := sub.last
		sub.mu.Unlock()
		for i := range 2 {
			if err := To("ada").Send(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			d.expect(fmt.Sprint(i))
			h.catchUp(ctx, sub, top, top)
		}
	})
}

// The same after Redis went back, which the reader has found out and told.
func TestACatchUpThatIsOvertakenRepeatsNothing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx, h, ch := outside(rdb), s.hub.Load(), userChannel("ada")
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		sub := h.find(ch)
		old := sub.position()
		sendText(t, ctx, To("ada"), "forgotten")
		r.expectText("", "forgotten")
		before := sub.position()
		forgetMessages(t, ctx, rdb, ch)
		sendText(t, ctx, To("ada"), "1")
		if m := r.receive(); m.Missed == nil || *m.Missed != nameUser {
			t.Fatalf("received %+v, want to be told that messages are missed", m)
		}
		r.expectText("", "1")
		h.catchUp(ctx, sub, before, old)
		sendText(t, ctx, To("ada"), "2")
		r.expectText("", "2")
	})
}

// Registering all users takes several times as long as the lease lasts.
func TestANewLeaseIsRenewedWhileUsersAreRegistered(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var slow atomic.Bool
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if slow.Load() && runs(cmd, registerScript) {
				pause(ctx, 250*time.Millisecond)
			}
			return next(ctx, cmd)
		})
		s := serve(t, &Server{Redis: other, Lease: time.Second, Handlers: Handlers{OnConnect: byQuery}})
		const users = 300 // 32 at a time: more than two seconds
		for i := range users {
			dial(t, fmt.Sprintf("%s?user=user-%d", s.URL, i))
		}
		h := s.hub.Load()
		first := h.current.Load().server
		slow.Store(true)
		if err := rdb.ZRem(t.Context(), h.keys.leases(), first).Err(); err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, patience, "a new lease", func() bool { return h.current.Load().server != first })
		second := h.current.Load().server
		redistest.Eventually(t, 3*patience, "every directory to name the new lease", func() bool {
			for i := range users {
				servers := rdb.HKeys(t.Context(), h.keys.servers(userChannel(fmt.Sprintf("user-%d", i)))).Val()
				if len(servers) != 1 || servers[0] != second {
					return false
				}
			}
			return true
		})
		if h.current.Load().server != second {
			t.Error("the new lease was lost as well")
		}
	})
}

func TestARefusedConnectionIsNotAskedAgain(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var calls atomic.Int32
		second := make(chan struct{})
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{Authenticate: func(ctx context.Context, m *Message) (*User, error) {
			calls.Add(1)
			if string(m.Data) == "bad" {
				<-second // is on its way
				return nil, errors.New("no")
			}
			return &User{ID: "ada"}, nil
		}}})
		d := dial(t, s.URL)
		d.say("bad")
		d.say("good")
		close(second)
		d.expect(`{"error":"no"}`)
		d.expectClose(CloseUnauthorized)
		s.stop() // every message has been handled
		if calls.Load() != 1 || online(t, outside(rdb), "ada") {
			t.Errorf("Authenticate was called %d times, online %v", calls.Load(), online(t, outside(rdb), "ada"))
		}
	})
}

func TestOneUserWhoCannotBeReleasedDoesNotKeepTheOthers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx, k := outside(rdb), newKeyspace("")
		client := (&Reaper{Redis: rdb}).jobs()
		p := presence{rdb, k, client}
		l, err := leases{rdb, k}.take(ctx, "dead", time.Minute, false)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			user := fmt.Sprintf("user-%d", i)
			if err := p.enroll(ctx, user, l.server, false); err != nil {
				t.Fatal(err)
			}
			if _, _, err := p.register(ctx, user, l, false, seat{count: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := rdb.RPush(ctx, k.outbox("user-0"), "unreadable").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.release(ctx, "dead"); err == nil {
			t.Error("an unreadable transition went unnoticed")
		}
		for i := range 50 {
			if user := fmt.Sprintf("user-%d", i); online(t, ctx, user) {
				t.Errorf("%s is still online", user)
			}
		}
	})
}

// What was cut off an inbox that was full may have told of a Join.
func TestASkippedInboxMayHaveToldOfATopic(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		cut := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if cmd.Name() == "xadd" {
				return nil
			}
			return next(ctx, cmd)
		})
		join(t, cut, "room", "ada")
		h := s.hub.Load()
		h.skip(t.Context(), h.keys.inbox(h.current.Load().server), "0-0")
		sendText(t, outside(rdb), Topic("room"), "news")
		d.expect("news")
	})
}

func TestASendWhoseRepliesAreLostCountsWhoMayHaveIt(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx, stop := context.WithCancel(t.Context())
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if err := next(ctx, cmd); err != nil || !runs(cmd, appendScript) {
				return err
			}
			stop() // it is not tried again
			return lost(cmd)
		})
		ctx = NewSender(other).Context(ctx)
		err := To("ada", "bob").Send(ctx, "news")
		if !errors.Is(err, ErrUncertain) || !strings.Contains(err.Error(), "2 of 2 recipients may have the message") {
			t.Errorf("sent with %v", err)
		}
		for _, user := range []string{"ada", "bob"} {
			if n := rdb.LLen(t.Context(), newKeyspace("").log(userChannel(user))).Val(); n != 1 {
				t.Errorf("%s has %d messages", user, n)
			}
		}
	})
}
