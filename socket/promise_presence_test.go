package socket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The row "presence" of the promises.

func TestPresenceFollowsTheFirstAndTheLastConnection(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one, two := start(t, "socket", rdb.Options().Addr), start(t, "socket", rdb.Options().Addr)
		start(t, "worker", rdb.Options().Addr)
		ctx := outside(rdb)
		first := dial(t, one.line+"?user=ada")
		second := dial(t, two.line+"?user=ada")
		third := dial(t, two.line+"?user=ada")
		first.Close()
		third.Close()
		redistest.Eventually(t, patience, "OnOnline", func() bool { return presenceRecord(t, rdb, "ada") == "online" })
		if !online(t, ctx, "ada") {
			t.Error("ada is not online")
		}
		second.Close()
		redistest.Eventually(t, patience, "OnOffline", func() bool { return presenceRecord(t, rdb, "ada") == "online offline" })
		if online(t, ctx, "ada") {
			t.Error("ada is still online")
		}
	})
}

func TestPresenceOfAKilledServer(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one, two := start(t, "socket", rdb.Options().Addr), start(t, "socket", rdb.Options().Addr)
		start(t, "worker", rdb.Options().Addr)
		ctx := outside(rdb)
		dial(t, one.line+"?user=only")
		dial(t, one.line+"?user=both")
		other := dial(t, two.line+"?user=both")
		for _, user := range []string{"only", "both"} {
			redistest.Eventually(t, patience, "OnOnline of "+user, func() bool { return presenceRecord(t, rdb, user) == "online" })
		}
		one.end(syscall.SIGKILL)
		killed := time.Now()
		redistest.Eventually(t, 20*time.Second, "OnOffline of the killed server's user", func() bool {
			return !online(t, ctx, "only") && presenceRecord(t, rdb, "only") == "online offline"
		})
		t.Logf("offline %v after the kill", time.Since(killed).Round(100*time.Millisecond))
		if !online(t, ctx, "both") || presenceRecord(t, rdb, "both") != "online" {
			t.Errorf("the user on two servers: online %v, record %q", online(t, ctx, "both"), presenceRecord(t, rdb, "both"))
		}
		if err := To("both").Send(ctx, "still here"); err != nil {
			t.Fatal(err)
		}
		other.expect("still here")
		other.Close()
		redistest.Eventually(t, patience, "OnOffline after the last one", func() bool { return presenceRecord(t, rdb, "both") == "online offline" })
		if got := presenceRecord(t, rdb, "only"); got != "online offline" {
			t.Errorf("record of the killed server's user: %q", got)
		}
	})
}

func TestAServerKilledBetweenATransitionAndItsJobLosesNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		one := start(t, "socket", proxy.Addr)
		start(t, "worker", rdb.Options().Addr)
		release := proxy.Hold([]byte("asynq:{" + PresenceQueue))
		defer release()
		go dialQuietly(one.line + "?user=ada") // ends with the server: it never gets an answer
		redistest.Eventually(t, patience, "the push to be held", func() bool {
			return proxy.Held() > 0 && online(t, outside(rdb), "ada")
		})
		one.end(syscall.SIGKILL)
		redistest.Eventually(t, 20*time.Second, "both transitions", func() bool { return presenceRecord(t, rdb, "ada") == "online offline" })
		if online(t, outside(rdb), "ada") {
			t.Error("ada is online")
		}
	})
}

// comeAndGo has users connect and leave at random on two servers.
func comeAndGo(t *testing.T, rdb *redis.Client, users int, d time.Duration) {
	addr := rdb.Options().Addr
	servers := []string{start(t, "socket", addr).line, start(t, "socket", addr).line}
	start(t, "worker", addr, failVariable+"=20")
	deadline := time.Now().Add(d)
	var stay []*device
	var mu sync.Mutex
	var all sync.WaitGroup
	for u := range users {
		all.Go(func() {
			for time.Now().Before(deadline) {
				conn, err := dialQuietly(fmt.Sprintf("%s?user=user-%d", servers[rand.IntN(2)], u))
				if err != nil {
					t.Errorf("user %d: %v", u, err)
					return
				}
				pause(t.Context(), rand.N(2*time.Second))
				if !time.Now().Before(deadline) && u%2 == 0 { // half of them stay
					mu.Lock()
					stay = append(stay, &device{conn, t})
					mu.Unlock()
					return
				}
				if rand.IntN(4) > 0 { // the others are waited for, and back in time
					_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(CloseNormal, ""), time.Now().Add(patience))
				}
				conn.Close()
				pause(t.Context(), rand.N(time.Second))
			}
		})
	}
	all.Wait()
	defer func() {
		for _, d := range stay {
			d.Close()
		}
	}()
	ctx, transitions := outside(rdb), 0
	for u := range users {
		user := fmt.Sprintf("user-%d", u)
		var record []string
		redistest.Eventually(t, 2*time.Minute, "the handlers of "+user+" to agree with IsOnline", func() bool {
			record = strings.Fields(presenceRecord(t, rdb, user))
			settled := rdb.HMGet(ctx, newKeyspace("").presence(user), "generation", "applied").Val()
			last := len(record) > 0 && record[len(record)-1] == "online"
			return settled[0] == settled[1] && last == online(t, ctx, user)
		})
		for i, what := range record {
			if want := []string{"online", "offline"}[i%2]; what != want {
				t.Fatalf("%s: successful handlers %v do not alternate", user, record)
			}
		}
		transitions += len(record)
	}
	if transitions < 3*users/2 { // half of them are offline at the end
		t.Errorf("only %d transitions of %d users", transitions, users)
	}
	t.Logf("%d users, %d transitions, %d stayed, settled %v after the last one left",
		users, transitions, len(stay), time.Since(deadline).Round(time.Second))
}

func TestPresenceAlternatesWhileUsersComeAndGo(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) { comeAndGo(t, rdb, 100, 3*time.Second) })
}

func TestIsOnlineOfAStranger(t *testing.T) {
	if online(t, outside(redistest.Embedded(t)), "nobody") {
		t.Error("a user who never connected is online")
	}
	ctx, cancel := context.WithCancel(outside(redistest.Embedded(t)))
	cancel()
	if _, err := IsOnline(ctx, "nobody"); err == nil {
		t.Error("a cancelled context gave an answer")
	}
}
