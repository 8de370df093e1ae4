package socket

import (
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestARollingDeployLosesNothing(t *testing.T) {
	t.Parallel()
	deploy(t, 40, 1, 400)
}

// deploy replaces all servers, one after the other and as often as asked for,
// while senders send.
func deploy(t *testing.T, users, times, rate int) {
	const servers, senders, workers = 3, 2, 8
	server := redistest.Real(t)
	rdb := server.Client(t)
	start(t, "worker", server.Addr)
	f := newFleet(t, server.Addr, servers)
	a := gather(t, users, 2, f.dialer())
	redistest.Eventually(t, 6*patience, "everybody's OnOnline", func() bool { return presenceJobs(t, rdb, users) == users })
	s := startSenders(t, server.Addr, senders, load{
		Users: users, Workers: workers, Retain: 100_000, RetainFor: 5 * time.Minute,
		Pause: time.Second * senders * workers / time.Duration(rate),
	})
	began := time.Now()
	for range times * servers {
		f.add()
		f.end(syscall.SIGTERM)
		redistest.Eventually(t, 3*patience, "everybody to be back", a.connected)
	}
	took := time.Since(began)
	l := s.finish(t)
	a.finish(t, outside(rdb))
	v := a.judge(t, l)
	leasesLeft(t, rdb, servers) // those of the others were reaped, with whoever had not come back
	jobs := presenceJobs(t, rdb, users) - users
	t.Logf("sent: %s", l.totals())
	t.Logf("%d servers replaced in %v; %v", times*servers, took.Round(10*time.Millisecond), a)
	t.Logf("received: %v; %d presence jobs", v, jobs)
	if v.told > 0 || jobs > 0 {
		t.Errorf("devices were told %d times that messages are lost, and there were %d presence jobs; want neither", v.told, jobs)
	}
}
