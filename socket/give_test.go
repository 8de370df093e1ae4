package socket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// Messages that a server received together are written together, whole and in
// order, also when the client's socket takes only a part of them.
func TestMessagesThatAreWrittenTogether(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}, MaxQueued: 64 << 20})
		const count = 30000
		text := func(i int) string { return fmt.Sprint(i, strings.Repeat("-", i%600)) }
		send := func(user string) {
			h := s.hub.Load()
			sub := h.find(userChannel(user))
			for i := 0; i < count; {
				for range 1 + rand.IntN(12) {
					f, _ := encode(text(i)) // a text always encodes
					at := sub.position()
					d := delivery{sub.channel, position{at.seq + 1, at.seq, at.logged}, record{frame: f}}
					if i%50 == 0 {
						d.record.key = fmt.Sprint(i) // goes another way
					}
					sub.deliver(d)
					i++
				}
				h.finish(context.Background(), sub)
			}
		}
		plain, r := dial(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=bob")
		r.connect(nil)
		send("ada") // who does not read meanwhile
		send("bob")
		for i := range count {
			plain.expect(text(i))
		}
		for i := range count {
			r.expectText("", text(i))
		}
	})
}
