package socket

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The first frame of a client of Protocol, which names positions.

func TestAClientInVeryManyTopicsResumes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		topics, name := 1500, func(i int) string { return fmt.Sprintf("a room with a name as programs have it %d", i) }
		if strings.HasSuffix(t.Name(), "embedded") { // which takes its time to join
			topics, name = 260, func(i int) string { return fmt.Sprintf("a room with a long name %0220d", i) }
		}
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := as(rdb, "ada")
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		var joins sync.WaitGroup
		for first := range syncs {
			joins.Go(func() {
				for i := first; i < topics; i += syncs {
					if err := Join(ctx, name(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range topics {
			m := r.receive()
			at[m.Joined] = m.At
		}
		joins.Wait()
		r.Close()
		for _, i := range []int{0, topics / 2, topics - 1} {
			sendText(t, ctx, Topic(name(i)), fmt.Sprint("missed ", i), Retain(10, time.Minute))
		}
		if frame, _ := json.Marshal(at); len(frame) < DefaultMaxMessage {
			t.Errorf("the positions have %d bytes, which proves nothing", len(frame))
		}
		again := dialResumer(t, s.URL+"?user=ada")
		hello := again.connect(at)
		if hello.Recovered == nil || !*hello.Recovered || len(hello.At) != topics+2 || len(hello.Lost) > 0 {
			t.Fatalf("recovered %v with %d channels, lost %q", hello.Recovered, len(hello.At), hello.Lost)
		}
		got := map[string]string{}
		for range 3 {
			m := again.receive()
			if m.Text == nil {
				t.Fatalf("received %+v", m)
			}
			got[m.On] = *m.Text
		}
		for _, i := range []int{0, topics / 2, topics - 1} {
			if text := got[nameTopic+name(i)]; text != fmt.Sprint("missed ", i) {
				t.Errorf("%q of the topic %d", text, i)
			}
		}
		again.say(`{"text":"` + strings.Repeat("x", DefaultMaxMessage) + `"}`) // no first frame any more
		again.expectClose(CloseTooBig)
	})
}

// manyPositions is a first frame of so many bytes.
func manyPositions(size int, rest string) string {
	var b strings.Builder
	b.WriteString(`{"connect":{"at":{`)
	for i := 0; b.Len() < size-len(rest)-400; i++ {
		fmt.Fprintf(&b, `"#%0250d":"1",`, i)
	}
	end := `"*":"1"}}` + rest + `}`
	fmt.Fprintf(&b, `"#%0*d":"1",`, size-len(end)-len(`"#":"1",`)-b.Len(), 0)
	return b.String() + end
}

func TestTheFirstFrameHasALimit(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const most = 1000
		s := serve(t, &Server{Redis: rdb, MaxMessage: most, Handlers: Handlers{
			Authenticate: func(_ context.Context, m *Message) (*User, error) {
				return &User{ID: fmt.Sprint(len(m.Data), " bytes")}, nil
			},
		}})
		text := func(n int) string { return `,"text":"` + strings.Repeat("x", n) + `"` }
		for name, first := range map[string]string{
			"as large as may be":               manyPositions(most+maxPositions, text(most)),
			"a payload beside a few positions": manyPositions(2000, text(most)),
		} {
			if len(first) != most+maxPositions && len(first) != 2000 {
				t.Fatalf("%s: made %d bytes", name, len(first))
			}
			r := dialResumer(t, s.URL)
			r.say(first)
			if hello := r.connected(); hello.User != "1000 bytes" || hello.MaxMessage != most {
				t.Errorf("%s: accepted %q, limit %d", name, hello.User, hello.MaxMessage)
			}
		}
		for name, first := range map[string]string{
			"one more":              manyPositions(most+maxPositions+1, ""),
			"too large a payload":   manyPositions(2000, text(most+1)),
			"nothing but a payload": `{"connect":{}` + text(most+1) + `}`,
		} {
			r := dialResumer(t, s.URL)
			r.say(first)
			t.Log(name)
			r.expectClose(CloseTooBig)
		}
		plain := dial(t, s.URL) // names no positions
		plain.say(strings.Repeat("x", most+1))
		plain.expectClose(CloseTooBig)
	})
}

func TestAConnectionKeepsNothingOfALargeFirstFrame(t *testing.T) {
	const clients = 3
	s := serve(t, &Server{Redis: redistest.Embedded(t), MaxQueued: 4 << 20})
	first := manyPositions(maxPositions, "")
	connect := func() {
		r := dialResumer(t, s.URL)
		r.say(first)
		r.connected()
		r.say("{}") // it has been read, and now the connection is idle
	}
	connect()
	before := heap()
	for range clients {
		connect()
	}
	redistest.Eventually(t, patience, "the frames to be forgotten", func() bool {
		return heap()-before < clients*128<<10
	})
}
