package cmd

import (
	"context"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// settleTimeout is how long the leaving of users may take to be handled at the end.
	settleTimeout = 3 * time.Second
	settlePoll    = 5 * time.Millisecond
)

// settle is a part that, when it is stopped, waits until the workers have handled
// what the presence queue holds. It stands between the sockets, which have closed by
// then, and the workers. With an embedded Redis this is the last chance: what a
// program keeps elsewhere about who is online would be wrong from then on.
func (p *process) settle(ctx context.Context) error {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	inspector := asynq.NewInspectorFromRedisClient(p.store.client)
	queue := p.app.Socket.Presence(p.store.client, p.app.Prefix).Queue()
	for waiting(inspector, queue) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.app.logger().Warn("stopping although the leaving of users has not been handled")
			return nil
		}
	}
	return nil
}

// waiting reports whether jobs of the queue are running or are to be run. All that an
// embedded Redis holds is of this program, so a prefix of the queue's name does not
// matter.
func waiting(inspector *asynq.Inspector, queue string) bool {
	names, err := inspector.Queues()
	if err != nil {
		return false
	}
	for _, name := range names {
		if !strings.HasSuffix(name, queue) {
			continue
		}
		info, err := inspector.GetQueueInfo(name)
		if err == nil && info.Pending+info.Active+info.Scheduled+info.Retry > 0 {
			return true
		}
	}
	return false
}
