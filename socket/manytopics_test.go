package socket

import (
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// The server takes far longer than the client has to authenticate. (An embedded Redis,
// which compiles a script whenever it runs, takes minutes.)
func TestAUserInTenThousandTopicsConnects(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	const topics = 10_000
	ctx := outside(rdb)
	if err := benchTopics(ctx, rdb, "ada", topics); err != nil {
		t.Fatal(err)
	}
	s := serve(t, &Server{Redis: rdb, AuthTimeout: 100 * time.Millisecond, OfflineAfter: -1, Handlers: Handlers{Authenticate: byName}})
	d := dial(t, s.URL)
	d.say(`{"Name":"ada"}`)
	began := time.Now()
	d.SetReadDeadline(began.Add(2 * time.Minute))
	if _, data, err := d.ReadMessage(); string(data) != "hello ada" {
		t.Fatalf("received %q, %v", data, err)
	}
	t.Logf("connected in %v", time.Since(began).Round(time.Millisecond))
	for _, topic := range []string{"topic-0", "topic-9999"} {
		sendText(t, ctx, Topic(topic), topic)
		d.expect(topic)
	}
	if err := Leave(jobs.WithUserID(ctx, "ada"), "topic-0"); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, patience, "the topic to be left", func() bool {
		return s.current().find(topicChannel("topic-0")) == nil
	})
	d.Close()
	redistest.Eventually(t, 6*patience, "the user to be offline and out of the topics", func() bool {
		keys, err := rdb.Exists(ctx, newKeyspace("").members("topic-1"), newKeyspace("").members("topic-9999"), newKeyspace("").outbox("ada")).Result()
		return err == nil && keys == 0 && !online(t, ctx, "ada")
	})
}
