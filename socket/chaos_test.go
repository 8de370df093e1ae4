package socket

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
)

// chaos is how bad it gets.
type chaos struct {
	servers, senders int
	users            int // with two devices each
	kills            int
	every            time.Duration // between kills
	rate             int           // sends a second, of all senders
	retain           int           // messages
	lease            string
}

func TestDevicesHaveEverythingAfterChaos(t *testing.T) {
	t.Parallel()
	v := run(t, chaos{servers: 3, senders: 2, users: 60, kills: 1, every: 2 * time.Second, rate: 200, retain: 100_000, lease: "2s"})
	if v.told > 0 {
		t.Errorf("devices were told %d times that messages are lost, and none was", v.told)
	}
}

// A log of two messages cannot give back what was sent while a server was dead.
func TestDevicesAreToldWhatChaosTookFromThem(t *testing.T) {
	t.Parallel()
	if v := run(t, chaos{servers: 3, senders: 2, users: 20, kills: 1, every: 2 * time.Second, rate: 400, retain: 2, lease: "2s"}); v.told == 0 {
		t.Error("no device was told of a loss")
	}
}

// run kills servers and cuts connections to Redis while senders send, and then
// compares what every device has received with what was sent.
func run(t *testing.T, c chaos) verdict {
	server := redistest.Real(t)
	proxy := redistest.NewProxy(t, server.Addr)
	f := newFleet(t, proxy.Addr, c.servers, leaseVariable+"="+c.lease)
	a := gather(t, c.users, 2, f.dialer())
	const workers = 8
	s := startSenders(t, proxy.Addr, c.senders, load{
		Users: c.users, Workers: workers, Retain: c.retain, RetainFor: 5 * time.Minute,
		Pause: time.Second * time.Duration(c.senders*workers) / time.Duration(c.rate),
	})
	ctx, stop := context.WithCancel(t.Context())
	var cutting sync.WaitGroup
	var cuts atomic.Int64
	cutting.Go(func() { cutAtRandom(ctx, proxy, &cuts) })
	for range c.kills {
		pause(ctx, c.every)
		f.end(syscall.SIGKILL)
		f.add()
	}
	pause(ctx, c.every)
	l := s.finish(t)
	stop()
	cutting.Wait()
	proxy.CutReplies(0)
	a.finish(t, outside(server.Client(t)))
	v := a.judge(t, l)
	t.Logf("sent: %s", l.totals())
	t.Logf("%d kills, %d connections to Redis cut, %d of them instead of a reply; %v", c.kills, cuts.Load()+int64(proxy.Cuts()), proxy.Cuts(), a)
	t.Logf("received: %v", v)
	return v
}

// cutAtRandom cuts connections to Redis, idle ones and such as wait for a reply.
func cutAtRandom(ctx context.Context, p *redistest.Proxy, cuts *atomic.Int64) {
	for ctx.Err() == nil {
		p.CutReplies(20 + rand.IntN(200))
		pause(ctx, rand.N(400*time.Millisecond))
		share := 0.2
		if rand.IntN(10) == 0 {
			share = 1
		}
		cuts.Add(int64(p.CutSome(share)))
	}
}
