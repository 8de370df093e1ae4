package socket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestCensus(t *testing.T) {
	var c census
	c.adding.Add(5)
	c.added.Add(3)    // two are on their way
	c.removing.Add(1) // one may be gone
	c.reached("1700000000000-9")
	before := c.count()
	for _, test := range []struct {
		users  int64
		newest string
		ok     bool
	}{
		{2, "1700000000000-9", true}, {5, "1700000000000-9", true}, {4, "1700000000000-10", true}, {3, "1700000000001-0", true},
		{1, "1700000000000-9", false}, {6, "1700000000000-9", false},
		{3, "1700000000000-8", false}, {3, "1699999999999-99", false}, {3, "999999999999-0", false},
	} {
		if err := c.compare(before, found{users: test.users, newest: test.newest}); (err == nil) != test.ok || err != nil && !errors.Is(err, errWentBack) {
			t.Errorf("%d users, inbox up to %s: %v", test.users, test.newest, err)
		}
	}
	c.adding.Add(1) // while Redis was asked
	c.removing.Add(1)
	for _, users := range []int64{1, 6} {
		if err := c.compare(before, found{users: users, newest: "1700000000000-9"}); err != nil {
			t.Error(err)
		}
	}
}

func TestCensusKnowsWhoIsThere(t *testing.T) {
	var c census
	for _, user := range []string{"ada", "bob"} {
		c.adding.Add(1)
		c.entered(user)
	}
	c.leaving("bob")
	c.removed.Add(1)
	before := c.count()
	if err := c.compare(before, found{users: 1, sum: checksum("ada"), newest: "1-1"}); err != nil {
		t.Error(err)
	}
	other := found{users: 1, sum: checksum("bob"), newest: "1-1"}
	if err := c.compare(before, other); !errors.Is(err, errWentBack) {
		t.Errorf("one user in place of another: %v", err)
	}
	c.adding.Add(1) // while Redis was asked
	if err := c.compare(before, other); err != nil {
		t.Error(err)
	}
	if err := c.compare(c.count(), other); err != nil { // it may be carried out at any time
		t.Error(err)
	}
}

// The ways in which a Redis that went back shows, one at a time.
func TestAServerBeginsAnewWhenRedisForgot(t *testing.T) {
	for what, forget := range map[string]func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error{
		"a registration": func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error {
			return errors.Join(rdb.SRem(ctx, k.users(server), "ada").Err(), rdb.Del(ctx, k.servers(userChannel("ada")), k.presence("ada")).Err())
		},
		"that a user left": func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error {
			return rdb.SAdd(ctx, k.users(server), "ghost").Err()
		},
		"the end of the inbox": func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error {
			return rdb.Eval(ctx, `redis.call('DEL', KEYS[1]) redis.call('XADD', KEYS[1], '1-1', 'v', '1', 'k', 'mark')
				return redis.call('PEXPIRE', KEYS[1], 60000)`, []string{k.inbox(server)}).Err()
		},
		"the inbox": func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error {
			return rdb.Del(ctx, k.inbox(server)).Err()
		},
		"a beat": func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error {
			return rdb.ZIncrBy(ctx, k.leases(), -2000, server).Err()
		},
		"the lease": func(ctx context.Context, rdb *redis.Client, k keyspace, server string) error {
			return rdb.ZRem(ctx, k.leases(), server).Err()
		},
	} {
		t.Run(what, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				s := serve(t, &Server{Redis: rdb, Lease: time.Second, Handlers: Handlers{OnConnect: byQuery}})
				ctx := outside(rdb)
				ada, bob := dial(t, s.URL+"?user=ada"), dial(t, s.URL+"?user=bob")
				for _, user := range []string{"ada", "bob"} {
					if err := To(user).Send(ctx, "before"); err != nil {
						t.Fatal(err)
					}
				}
				ada.expect("before")
				bob.expect("before")
				first := s.current().current.Load().server
				if err := forget(ctx, rdb, newKeyspace(""), first); err != nil {
					t.Fatal(err)
				}
				redistest.Eventually(t, patience, "both users under another name", func() bool {
					now := s.current().current.Load().server
					_, a := directoryOf(t, rdb, "ada")[now]
					_, b := directoryOf(t, rdb, "bob")[now]
					return now != first && a && b
				})
				for user, d := range map[string]*device{"ada": ada, "bob": bob} {
					if !online(t, ctx, user) {
						t.Errorf("%s is offline", user)
					}
					if err := To(user).Send(ctx, "after"); err != nil {
						t.Fatal(err)
					}
					d.expect("after")
				}
			})
		})
	}
}

// A server that beats often would notice a false alarm.
func TestUsersWhoComeAndGoAreNoSignOfARedisThatWentBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Lease: 100 * time.Millisecond, OfflineAfter: 2 * time.Second, Handlers: Handlers{OnConnect: byQuery}})
		first := s.current().current.Load()
		deadline := time.Now().Add(2 * time.Second)
		var all sync.WaitGroup
		for u := range 30 {
			all.Go(func() {
				for time.Now().Before(deadline) {
					conn, err := dialQuietly(fmt.Sprintf("%s?user=user-%d", s.URL, u%20))
					if err != nil {
						t.Error(err)
						return
					}
					_ = To(fmt.Sprintf("user-%d", u%20)).Send(outside(rdb), "x")
					if rand.IntN(2) == 0 {
						_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
					}
					conn.Close()
				}
			})
		}
		all.Wait()
		last := s.current().current.Load()
		if last.server != first.server {
			t.Error("the server began anew")
		}
		if last.till <= first.till {
			t.Error("the lease was not renewed")
		}
	})
}

// A redis-server is killed and started again from what it had earlier.
func TestARestartFromAnOlderStateIsNoticed(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	rdb := server.Client(t)
	ctx := outside(rdb)
	s := serve(t, &Server{Redis: rdb, Lease: 4 * time.Second, OfflineAfter: 2 * time.Second, Handlers: Handlers{OnConnect: byQuery}})
	dialUser := func(user string) *device { return dial(t, s.URL+"?user="+user) }
	send := func(user, text string) {
		redistest.Eventually(t, patience, "a send to be accepted", func() bool { return To(user).Send(ctx, text) == nil })
	}
	early, told, gone := dialUser("early"), dialUser("told"), dialUser("gone")
	send("early", "one")
	early.expect("one")
	restore := server.Snapshot()
	late := dialUser("late")
	send("told", "forgotten")
	told.expect("forgotten")
	gone.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
	redistest.Eventually(t, patience, "one to be offline", func() bool { return !online(t, ctx, "gone") })
	first := s.current().current.Load().server
	restore()
	if online(t, ctx, "late") || !online(t, ctx, "gone") {
		t.Fatal("the snapshot is not an older state")
	}
	began := time.Now()
	redistest.Eventually(t, 2*patience, "everybody under another name", func() bool {
		now := s.current().current.Load().server
		for _, user := range []string{"early", "told", "late"} {
			if _, there := directoryOf(t, rdb, user)[now]; !there {
				return false
			}
		}
		return now != first
	})
	t.Logf("registered anew %v after the restart", time.Since(began).Round(10*time.Millisecond))
	// Who has what Redis does not have any more is told, without another message.
	told.expectClose(CloseMissed)
	again := dialUser("told")
	for user, d := range map[string]*device{"early": early, "late": late, "told": again} {
		send(user, "two")
		d.expect("two")
		if !online(t, ctx, user) {
			t.Errorf("%s is offline", user)
		}
	}
	redistest.Eventually(t, 3*patience, "who left before the restart to be offline again", func() bool { return !online(t, ctx, "gone") })
}

// Redis forgets as many who came as who left, so that it has as many users as the
// server has.
func TestAnExchangeOfUsersThatRedisForgotIsNoticed(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	rdb := server.Client(t)
	ctx := outside(rdb)
	s := serve(t, &Server{Redis: rdb, Lease: 2 * time.Second, Handlers: Handlers{OnConnect: byQuery}})
	gone := dial(t, s.URL+"?user=gone")
	till := s.current().current.Load().till
	redistest.Eventually(t, patience, "the lease to be renewed", func() bool { return s.current().current.Load().till > till })
	restore := server.Snapshot()
	come := dial(t, s.URL+"?user=come")
	gone.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
	redistest.Eventually(t, patience, "one to be offline", func() bool { return !online(t, ctx, "gone") })
	first := s.current().current.Load().server
	restore()
	redistest.Eventually(t, patience, "another name", func() bool { return s.current().current.Load().server != first })
	redistest.Eventually(t, 3*patience, "both to be as before", func() bool { return online(t, ctx, "come") && !online(t, ctx, "gone") })
	sendText(t, ctx, To("come"), "hello")
	come.expect("hello")
}

// Redis goes back while a user is being taken out: after the server has left the
// directory, and before it leaves the user out of its set.
func TestAUserWhoLeavesWhileRedisGoesBackIsOffline(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		k := newKeyspace("")
		var once sync.Once
		var s *running
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if runs(cmd, forgetScript) {
				once.Do(func() {
					server := s.current().current.Load().server
					if err := errors.Join(rdb.HSet(ctx, k.servers(userChannel("ada")), server, 1).Err(), rdb.HSet(ctx, k.presence("ada"), "online", 1).Err()); err != nil {
						t.Error(err)
					}
				})
			}
			return next(ctx, cmd)
		})
		s = serve(t, &Server{Redis: other, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		dial(t, s.URL+"?user=ada").Close()
		redistest.Eventually(t, patience, "the user to be forgotten", func() bool { return s.current().find(userChannel("ada")) == nil })
		if online(t, outside(rdb), "ada") || len(directoryOf(t, rdb, "ada")) > 0 {
			t.Error("the user is still online")
		}
	})
}
