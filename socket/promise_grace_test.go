package socket

import (
	"context"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// What the row "presence" promises of users who are away for a moment.

// generation returns the number of the user's last transition.
func generation(t testing.TB, rdb *redis.Client, user string) string {
	t.Helper()
	g, err := rdb.HGet(context.Background(), newKeyspace("").presence(user), "generation").Result()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// directoryOf returns the servers that hold the user, and the number of connections
// that each of them has told.
func directoryOf(t testing.TB, rdb *redis.Client, user string) map[string]string {
	t.Helper()
	d, err := rdb.HGetAll(context.Background(), newKeyspace("").servers(userChannel(user))).Result()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// leasesLeft waits until so many servers have a lease.
func leasesLeft(t testing.TB, rdb *redis.Client, n int64) {
	t.Helper()
	redistest.Eventually(t, 30*time.Second, fmt.Sprintf("%d leases", n), func() bool {
		return rdb.ZCard(context.Background(), newKeyspace("").leases()).Val() == n
	})
}

func (s *running) current() *hub { return s.hub.Load() }

func (s *running) waitsFor(user string) bool {
	sub := s.current().find(userChannel(user))
	return sub != nil && s.current().grace.has(sub)
}

func TestAUserWhoIsBackWithinTheGraceWasNotOffline(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"on the same server", "on another server"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				h := Handlers{OnConnect: byQuery}
				one, two := serve(t, &Server{Redis: rdb, Handlers: h}), serve(t, &Server{Redis: rdb, Handlers: h})
				next := one
				if where == "on another server" {
					next = two
				}
				ctx := outside(rdb)
				d := dial(t, one.URL+"?user=ada")
				before := generation(t, rdb, "ada")
				if err := To("ada").Send(ctx, "first"); err != nil {
					t.Fatal(err)
				}
				d.expect("first")
				d.Close()
				redistest.Eventually(t, patience, "the connection to end", func() bool { return one.waitsFor("ada") })
				for i := range 3 {
					if err := To("ada").Send(ctx, fmt.Sprint("while away ", i)); err != nil {
						t.Fatal(err)
					}
				}
				again := dial(t, next.URL+"?user=ada")
				if err := To("ada").Send(ctx, "news"); err != nil {
					t.Fatal(err)
				}
				again.expect("news")
				redistest.Eventually(t, patience, "the wait to end", func() bool {
					entries := directoryOf(t, rdb, "ada")
					_, there := entries[next.current().current.Load().server]
					return !one.waitsFor("ada") && len(entries) == 1 && there
				})
				if !online(t, ctx, "ada") || generation(t, rdb, "ada") != before {
					t.Error("the user was offline")
				}
				if err := To("ada").Send(ctx, "more"); err != nil {
					t.Fatal(err)
				}
				again.expect("more")
			})
		})
	}
}

// The inbox is read late: what was sent before the user came back is still in it.
func TestAUserWhoIsBackIsNotSentWhatIsStillOnItsWay(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx, sender := context.Background(), NewSender(inSlots{rdb})
		d := dial(t, s.URL+"?user=ada")
		d.Close()
		redistest.Eventually(t, patience, "the connection to end", func() bool { return s.waitsFor("ada") })
		written := appendOnly(ctx, sender, "ada", "while away")
		again := dial(t, s.URL+"?user=ada")
		sender.round(ctx, written, nil)
		if err := To("ada").Send(sender.Context(ctx), "news"); err != nil {
			t.Fatal(err)
		}
		again.expect("news")
	})
}

func TestAUserWhoDoesNotComeBackIsOfflineAfterTheGrace(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const grace = 500 * time.Millisecond
		s := serve(t, &Server{Redis: rdb, OfflineAfter: grace, Handlers: Handlers{OnConnect: byQuery}})
		const users = 50
		for i := range users {
			dial(t, fmt.Sprintf("%s?user=user-%d", s.URL, i)).Close()
		}
		last := dial(t, s.URL+"?user=last")
		left := time.Now()
		last.Close()
		redistest.Eventually(t, patience, "the last user to be offline", func() bool { return !online(t, outside(rdb), "last") })
		took := time.Since(left)
		if took < grace {
			t.Errorf("offline after %v, before the grace was over", took)
		}
		t.Logf("offline %v after the end of the connection, with a grace of %v", took.Round(time.Millisecond), grace)
		for i := range users {
			user := fmt.Sprintf("user-%d", i)
			redistest.Eventually(t, patience, user+" to be offline", func() bool { return !online(t, outside(rdb), user) })
		}
		redistest.Eventually(t, patience, "the server to forget them", func() bool {
			return rdb.Exists(context.Background(), newKeyspace("").users(s.current().current.Load().server)).Val() == 0
		})
	})
}

func TestWhoSaysGoodbyeIsOfflineAtOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, OfflineAfter: time.Hour, UnregisterOnStop: true, Handlers: Handlers{
			OnConnect: byQuery,
			OnMessage: func(ctx context.Context, m *Message) error { return Close(ctx) },
		}})
		ctx := outside(rdb)
		closeWith := func(frame []byte) func(*device) {
			return func(d *device) {
				if err := d.WriteControl(websocket.CloseMessage, frame, time.Now().Add(patience)); err != nil {
					t.Error(err)
				}
			}
		}
		for _, c := range []struct {
			how     string
			leave   func(*device)
			goodbye bool
		}{
			{"close frame 1000", closeWith(websocket.FormatCloseMessage(1000, "")), true},
			{"close frame without a code", closeWith(nil), true},
			{"closed by a handler", func(d *device) { d.say("x"); d.expectClose(CloseNormal) }, true},
			{"closed from elsewhere", func(d *device) {
				if err := Close(jobs.WithUserID(ctx, "closed from elsewhere")); err != nil {
					t.Error(err)
				}
				d.expectClose(CloseNormal)
			}, true},
			{"close frame 1001", closeWith(websocket.FormatCloseMessage(1001, "")), false},
			{"text that is not UTF-8", func(d *device) {
				d.WriteMessage(websocket.TextMessage, []byte{0xff})
				d.expectClose(CloseInvalid)
			}, false},
			{"the end of the TCP connection", func(d *device) { d.Close() }, false},
		} {
			user := c.how
			d := dial(t, s.URL+"?user="+url.QueryEscape(user))
			c.leave(d)
			if c.goodbye {
				redistest.Eventually(t, patience, "offline after "+c.how, func() bool { return !online(t, ctx, user) })
				continue
			}
			redistest.Eventually(t, patience, "the wait after "+c.how, func() bool { return s.waitsFor(user) })
			if !online(t, ctx, user) {
				t.Errorf("%s: offline", c.how)
			}
		}
	})
}

func TestWithoutAGraceEverybodyIsOfflineAtOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		dial(t, s.URL+"?user=ada").Close()
		redistest.Eventually(t, patience, "offline", func() bool { return !online(t, outside(rdb), "ada") })
		dial(t, s.URL+"?user=bob")
		s.stop()
		if online(t, outside(rdb), "bob") {
			t.Error("the stopped server left its user online")
		}
		if keys := rdb.Keys(context.Background(), "*{s:*").Val(); len(keys) > 0 {
			t.Errorf("the server left %v", keys)
		}
	})
}

// The last connection of a user who has others elsewhere ends here, and then the
// one elsewhere says goodbye: this server's wait is not in the way for longer.
func TestAGoodbyeEndsAnEarlierWaitOfTheSameServer(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, OfflineAfter: time.Hour, UnregisterOnStop: true, Handlers: Handlers{OnConnect: byQuery}})
		dial(t, s.URL+"?user=ada").Close()
		redistest.Eventually(t, patience, "the wait", func() bool { return s.waitsFor("ada") })
		again := dial(t, s.URL+"?user=ada")
		if s.waitsFor("ada") {
			t.Error("a user who is there is waited for")
		}
		again.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		redistest.Eventually(t, patience, "offline", func() bool { return !online(t, outside(rdb), "ada") })
	})
}

func TestAUserOfAKilledServerWhoIsBackInTimeWasNotOffline(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const lease = 2 * time.Second
		addr := rdb.Options().Addr
		one, two := start(t, "socket", addr, leaseVariable+"="+lease.String()), start(t, "socket", addr)
		start(t, "worker", addr)
		ctx := outside(rdb)
		for _, user := range []string{"back", "gone"} {
			dial(t, one.line+"?user="+user)
			redistest.Eventually(t, patience, "OnOnline of "+user, func() bool { return presenceRecord(t, rdb, user) == "online" })
		}
		before := generation(t, rdb, "back")
		one.end(syscall.SIGKILL)
		killed := time.Now()
		back := dial(t, two.line+"?user=back")
		redistest.Eventually(t, 30*time.Second, "the other user to be offline", func() bool { return !online(t, ctx, "gone") })
		took := time.Since(killed)
		// The last beat was at most three tenths of the lease before the kill. A
		// reaper that was held up, on a busy machine, waits for reapGrace.
		if least, most := lease*7/10-100*time.Millisecond+DefaultOfflineAfter, lease+DefaultOfflineAfter+3*time.Second+reapGrace; took < least || took > most {
			t.Errorf("offline %v after the kill, want %v to %v", took, least, most)
		}
		t.Logf("offline %v after the kill; lease %v, grace %v", took.Round(10*time.Millisecond), lease, DefaultOfflineAfter)
		leasesLeft(t, rdb, 1)
		if g := generation(t, rdb, "back"); g != before || !online(t, ctx, "back") {
			t.Errorf("the user who came back was offline: generation %s, before %s", g, before)
		}
		back.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		for _, user := range []string{"back", "gone"} {
			redistest.Eventually(t, patience, "OnOffline of "+user, func() bool { return presenceRecord(t, rdb, user) == "online offline" })
		}
	})
}
