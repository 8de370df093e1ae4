package socket

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// joined connects users by turns to servers, and has each of them join a topic.
func joined(t *testing.T, ctx context.Context, topic string, users int, urls ...string) []*device {
	t.Helper()
	devices := make([]*device, users)
	for i := range devices {
		user := fmt.Sprintf("user-%d", i)
		devices[i] = dial(t, urls[i%len(urls)]+"?user="+user)
		if err := Join(jobs.WithUserID(ctx, user), topic); err != nil {
			t.Fatal(err)
		}
	}
	return devices
}

// stays has the servers beat for some time, while everybody has to receive what is
// sent to the topic.
func stays(t *testing.T, ctx context.Context, topic, what string, d time.Duration, devices []*device) {
	t.Helper()
	n, until := 0, time.Now().Add(d)
	redistest.Eventually(t, d+patience, "some time to pass", func() bool {
		text := fmt.Sprint(what, " ", n)
		n++
		if err := Topic(topic).Send(ctx, text); err != nil {
			t.Fatal(err)
		}
		for _, one := range devices {
			one.expect(text)
		}
		return time.Now().After(until)
	})
}

// The servers have a lease and a grace of four seconds together. A reaper that took
// them for dead would do so within a second.
func TestNobodyIsOfflineWhenTheClockOfRedisIsSet(t *testing.T) {
	t.Parallel()
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		addr, env := rdb.Options().Addr, leaseVariable+"=2s"
		one, two := start(t, "socket", addr, env), start(t, "socket", addr, env)
		start(t, "worker", addr)
		ctx := outside(rdb)
		devices := joined(t, ctx, "news", 10, one.line, two.line)
		for user := range devices {
			name := fmt.Sprintf("user-%d", user)
			redistest.Eventually(t, patience, "OnOnline of "+name, func() bool { return presenceRecord(t, rdb, name) == "online" })
		}
		for _, step := range []time.Duration{time.Minute, time.Hour, -time.Hour, -30 * time.Second} {
			clock.Step(step)
			start(t, "worker", addr) // whose reaper did not see it
			stays(t, ctx, "news", step.String(), 5*time.Second, devices)
			late := dial(t, one.line+"?user=late") // is let in
			late.Close()
		}
		for user := range devices {
			name := fmt.Sprintf("user-%d", user)
			if got := presenceRecord(t, rdb, name); got != "online" || !online(t, ctx, name) {
				t.Errorf("%s: %s", name, got)
			}
		}
		if members, err := Members(ctx, "news"); err != nil || len(members) != len(devices) {
			t.Errorf("members: %v, %v", members, err)
		}
	})
}

func TestAKilledServerIsFoundWhenTheClockOfRedisIsSet(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-30 * time.Second, -time.Hour, time.Minute} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
				addr, env := rdb.Options().Addr, leaseVariable+"=2s"
				one, two := start(t, "socket", addr, env), start(t, "socket", addr, env)
				start(t, "worker", addr)
				ctx := outside(rdb)
				dial(t, one.line+"?user=gone")
				stays := dial(t, two.line+"?user=stays")
				for _, user := range []string{"gone", "stays"} {
					redistest.Eventually(t, patience, "OnOnline of "+user, func() bool { return presenceRecord(t, rdb, user) == "online" })
				}
				one.end(syscall.SIGKILL)
				killed := time.Now()
				clock.Step(step)
				redistest.Eventually(t, 3*patience, "OnOffline of the killed server's user", func() bool {
					return presenceRecord(t, rdb, "gone") == "online offline"
				})
				// A lease and a grace, twice when the clock was set ahead, and a bit for
				// a machine that is busy.
				if took := time.Since(killed); took > 15*time.Second {
					t.Errorf("it took %v", took)
				} else {
					t.Logf("offline %v after the kill", took.Round(100*time.Millisecond))
				}
				sendText(t, ctx, To("stays"), "news")
				stays.expect("news")
				if got := presenceRecord(t, rdb, "stays"); got != "online" {
					t.Errorf("the other server's user: %s", got)
				}
			})
		})
	}
}

func TestWhenAWatchedLeaseIsThatOfADeadServer(t *testing.T) {
	began := time.Now()
	const length = 10 * time.Second
	type look struct {
		at    time.Duration // by the own clock
		redis time.Duration
		till  time.Duration // by Redis'
		dead  bool
	}
	for what, looks := range map[string][]look{
		"it is over":                     {{0, 0, 10 * time.Second, false}, {9 * time.Second, 9 * time.Second, 10 * time.Second, false}, {10 * time.Second, 10 * time.Second, 10 * time.Second, true}},
		"it is over at the first look":   {{0, 60 * time.Second, 10 * time.Second, false}, {9 * time.Second, 69 * time.Second, 10 * time.Second, false}, {10 * time.Second, 70 * time.Second, 10 * time.Second, true}},
		"Redis' clock is set ahead":      {{0, 0, 10 * time.Second, false}, {time.Minute, time.Minute, 70 * time.Second, false}, {61 * time.Second, time.Hour, 70 * time.Second, false}, {62 * time.Second, time.Hour + time.Second, time.Hour + 11*time.Second, false}},
		"that and the server is dead":    {{0, 0, 10 * time.Second, false}, {time.Second, time.Hour, 10 * time.Second, false}, {9 * time.Second, time.Hour + 8*time.Second, 10 * time.Second, false}, {11 * time.Second, time.Hour + 10*time.Second, 10 * time.Second, true}},
		"Redis' clock is set back":       {{0, time.Hour, time.Hour + 10*time.Second, false}, {time.Second, 0, time.Hour + 10*time.Second, false}, {10 * time.Second, 9 * time.Second, time.Hour + 10*time.Second, false}, {11 * time.Second, 10 * time.Second, time.Hour + 10*time.Second, true}},
		"its reaper died":                {{0, 0, -time.Hour, true}},
		"that, and the server renews it": {{0, time.Hour, time.Hour + 10*time.Second, false}, {time.Second, 0, time.Hour + 10*time.Second, false}, {4 * time.Second, 3 * time.Second, 13 * time.Second, false}, {11 * time.Second, 10 * time.Second, 20 * time.Second, false}},
	} {
		t.Run(what, func(t *testing.T) {
			var w watch
			for i, l := range looks {
				at := began.Add(l.at)
				w.read(reading{l.redis.Milliseconds(), at, at})
				if got := len(w.dead([]leaseSeen{{"s", l.till.Milliseconds(), length}})) == 1; got != l.dead {
					t.Errorf("look %d: dead %v, want %v", i, got, l.dead)
				}
			}
		})
	}
}

func TestAStepOfRedisClockIsToldFromAWait(t *testing.T) {
	began := time.Now()
	at := func(redis, before, after time.Duration) reading {
		return reading{redis.Milliseconds(), began.Add(before), began.Add(after)}
	}
	for _, test := range []struct {
		from, to reading
		step     time.Duration
	}{
		{at(0, 0, 0), at(time.Second, time.Second, time.Second), 0},
		{at(0, 0, 0), at(5*time.Second, time.Second, 5*time.Second), 0}, // the question arrived late
		{at(0, 0, 0), at(time.Second, time.Second, 5*time.Second), 0},   // the answer did
		{at(0, 0, 4*time.Second), at(5*time.Second, 5*time.Second, 5*time.Second), 0},
		{at(0, 0, 0), at(time.Hour, time.Hour, time.Hour), 0}, // the reaper was suspended
		{at(0, 0, 0), at(61*time.Second, time.Second, time.Second), time.Minute},
		{at(time.Minute, 0, 0), at(31*time.Second, time.Second, time.Second), -30 * time.Second},
	} {
		var w watch
		if w.read(test.from) != 0 {
			t.Error("the first look is a step")
		}
		if got := w.read(test.to); got != test.step {
			t.Errorf("from %v to %v: step %v, want %v", test.from, test.to, got, test.step)
		}
	}
}
