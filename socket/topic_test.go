package socket

import (
	"slices"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// joined connects a client of a user and has the user join a topic. It returns
// where the client is in its channels.
func joined(t *testing.T, s *running, rdb redis.UniversalClient, user, topic string) (resumer, map[string]string) {
	t.Helper()
	r := dialResumer(t, s.URL+"?user="+user)
	at := r.connect(nil).At
	if err := Join(jobs.WithUserID(outside(rdb), user), topic); err != nil {
		t.Fatal(err)
	}
	m := r.receive()
	if m.Joined == "" {
		t.Fatalf("received %+v, want to have joined", m)
	}
	at[m.Joined] = m.At
	return r, at
}

func TestATopicReachesItsMembersOnAllServersInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ada, _ := joined(t, one, rdb, "ada", "room")
		bob, _ := joined(t, two, rdb, "bob", "room")
		tablet := dialResumer(t, two.URL+"?user=ada") // of a user who is in the topic already
		tablet.connect(nil)
		other, _ := joined(t, one, rdb, "eve", "another")
		on := topicChannel("room").name()
		for i := range 20 {
			sendText(t, outside(rdb), Topic("room"), string(rune('a'+i))) // each with a Sender of its own
		}
		for i := range 20 {
			for _, r := range []resumer{ada, bob, tablet} {
				r.expectText(on, string(rune('a'+i)))
			}
		}
		sendText(t, outside(rdb), To("eve"), "only this")
		other.expectText("", "only this")
	})
}

func TestWhoLeavesATopicAndJoinsAgainGetsWhatIsSentAfterwards(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := jobs.WithUserID(outside(rdb), "ada")
		r, _ := joined(t, s, rdb, "ada", "room")
		sendText(t, ctx, Topic("room"), "1")
		on := r.receive().On
		if err := Leave(ctx, "room"); err != nil {
			t.Fatal(err)
		}
		if m := r.receive(); m.Left != on {
			t.Fatalf("received %+v, want to have left %q", m, on)
		}
		sendText(t, ctx, Topic("room"), "2")
		if err := Join(ctx, "room"); err != nil {
			t.Fatal(err)
		}
		if m := r.receive(); m.Joined != on {
			t.Fatalf("received %+v, want to have joined %q", m, on)
		}
		sendText(t, ctx, Topic("room"), "3")
		r.expectText(on, "3")
	})
}

func TestAReturningClientGetsWhatItMissedInATopic(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r, at := joined(t, one, rdb, "ada", "room")
		sendText(t, ctx, Topic("room"), "seen")
		m := r.receive()
		at[m.On] = m.At
		r.Close()
		for _, text := range []string{"1", "2", "3"} {
			sendText(t, ctx, Topic("room"), text)
		}
		again := dialResumer(t, two.URL+"?user=ada")
		if hello := again.connect(at); hello.Recovered == nil || !*hello.Recovered {
			t.Fatalf("connected with %+v, want all recovered", hello)
		}
		for _, text := range []string{"1", "2", "3"} {
			again.expectText(m.On, text)
		}
		sendText(t, ctx, Topic("room"), "4")
		again.expectText(m.On, "4")
	})
}

func TestMembersAreOnline(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		ada, _ := joined(t, s, rdb, "ada", "room")
		joined(t, s, rdb, "bob", "room")
		members := func() []string {
			ids, err := Members(ctx, "room")
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(ids)
			return ids
		}
		if got := members(); !slices.Equal(got, []string{"ada", "bob"}) {
			t.Errorf("the members are %q", got)
		}
		ada.Close()
		redistest.Eventually(t, patience, "bob to be the only member", func() bool { return slices.Equal(members(), []string{"bob"}) })
	})
}
