package socket

import (
	"fmt"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestAnInboxIsTrimmed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		ctx := outside(rdb)
		inbox := newKeyspace("").inbox(s.current().current.Load().server)
		sent := 0
		send := func() {
			sendText(t, ctx, To("ada"), fmt.Sprint(sent))
			d.expect(fmt.Sprint(sent))
			sent++
		}
		for range inboxKeeps {
			send()
		}
		redistest.Eventually(t, patience, "a part of the inbox to go while messages come", func() bool {
			send()
			return rdb.XLen(ctx, inbox).Val() < inboxKeeps/2
		})
		redistest.Eventually(t, patience, "the last entry alone to stay", func() bool {
			return rdb.XLen(ctx, inbox).Val() == 1
		})
	})
}
