package socket

import (
	"fmt"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// Wherever a reader is, it gets what is behind that, and is told whether this is
// everything. What the log has beyond what it keeps is not read.
func TestALogIsReadFromAnywhere(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx, h, ch := outside(rdb), s.hub.Load(), userChannel("ada")
		const keeps = 20
		var at []point // before each message, and after the last one
		at = append(at, point{})
		for n := 1; n <= 3*keeps; n++ {
			sendText(t, ctx, To("ada"), fmt.Sprint(n), Retain(keeps, time.Minute))
			p, err := h.readPage(t.Context(), ch, at[n-1], 0)
			if err != nil || !p.complete || len(p.messages) != 1 {
				t.Fatalf("after message %d: %+v, %v", n, p, err)
			}
			at = append(at, p.to)
			if n%7 > 0 {
				continue
			}
			for from := range n {
				p, err := h.readPage(t.Context(), ch, at[from], 0)
				if err != nil || p.more || p.to != at[n] {
					t.Fatalf("from %d of %d: %+v, %v", from, n, p, err)
				}
				oldest := max(from, n-keeps) + 1
				if p.complete != (from >= n-keeps) || len(p.messages) != n-oldest+1 || string(p.messages[0].record.data) != fmt.Sprint(oldest) {
					t.Errorf("from %d of %d: complete %v, %d messages", from, n, p.complete, len(p.messages))
				}
			}
		}
	})
}
