package socket

import (
	"net/url"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
)

// A redis-server is killed and started again from what it had earlier, while
// messages are sent and half of the devices look for another server.
func TestNobodyTakesNewForOldWhenRedisWentBack(t *testing.T) {
	t.Parallel()
	const users, senders, workers = 20, 2, 4
	server := redistest.Real(t)
	f := newFleet(t, server.Addr, 2, leaseVariable+"=2s")
	a := gather(t, users, 2, f.dialer())
	s := startSenders(t, server.Addr, senders, load{
		Users: users, Workers: workers, Retain: 100_000, RetainFor: 5 * time.Minute, Pause: 20 * time.Millisecond,
	})
	pause(t.Context(), time.Second)
	restore := server.Snapshot()
	pause(t.Context(), time.Second)
	f.end(syscall.SIGKILL)
	restore()
	f.add()
	pause(t.Context(), 2*time.Second)
	l := s.finish(t)
	a.finish(t, outside(server.Client(t)))
	v := a.judge(t, l)
	t.Logf("sent: %s", l.totals())
	t.Logf("%v", a)
	t.Logf("received: %v", v)
	if v.told < 2*users { // each had what Redis no longer knew
		t.Errorf("devices were told %d times that messages are lost, want at least %d", v.told, 2*users)
	}
}

// The same, one device for each of the ways in which it can be behind or ahead.
func TestWhoResumesIsToldWhenRedisWentBack(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	rdb := server.Client(t)
	ctx := outside(rdb)
	s := serve(t, &Server{Redis: rdb, Lease: 2 * time.Second, Handlers: Handlers{OnConnect: byQuery}})
	send := func(user, text string) {
		redistest.Eventually(t, patience, "a send to be accepted", func() bool { return To(user).Send(ctx, text) == nil })
	}
	type resuming struct {
		resumer
		at map[string]string
	}
	come := func(user string, at map[string]string) (resuming, connected) {
		r := dialResumer(t, s.URL+"?user="+url.QueryEscape(user))
		hello := r.connect(at)
		return resuming{r, hello.At}, hello
	}
	users := []string{"idle", "idle and away", "ahead", "ahead and away", "behind and away", "ahead and away, and late"}
	devices := map[string]resuming{}
	for _, user := range users {
		d, _ := come(user, nil)
		send(user, "known")
		d.at[nameUser] = d.expectText(nameUser, "known")
		devices[user] = d
	}
	restore := server.Snapshot()
	for _, user := range users {
		switch user {
		case "behind and away":
			devices[user].Close()
			send(user, "forgotten")
		case "ahead", "ahead and away", "ahead and away, and late":
			send(user, "forgotten")
			devices[user].at[nameUser] = devices[user].expectText(nameUser, "forgotten")
		}
	}
	for _, user := range []string{"idle and away", "ahead and away", "ahead and away, and late"} {
		devices[user].Close()
	}
	restore()
	send("ahead and away, and late", "new") // before the device is back
	back := func(user string, recovered bool) {
		t.Helper()
		d, hello := come(user, devices[user].at)
		if hello.Recovered == nil || *hello.Recovered != recovered || slices.Contains(hello.Lost, nameUser) == recovered {
			t.Errorf("%s: connected with %+v, want recovered %v", user, hello, recovered)
		}
		devices[user] = d
	}
	back("idle and away", true)
	back("ahead and away", false)
	back("ahead and away, and late", false)
	back("behind and away", true) // it is where Redis is
	for _, user := range users {
		send(user, "later")
		if user == "ahead" { // maybe before, when the server has noticed
			if m := devices[user].receive(); m.Missed == nil || *m.Missed != nameUser {
				t.Errorf("a device that is ahead received %+v, want to be told that messages are missed", m)
			}
		}
		devices[user].expectText(nameUser, "later")
	}
}
