package socket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The rows "order" and "delivery" of the promises.

// collect reads n messages from each device at once.
func collect(t *testing.T, devices []*device, n int) [][]string {
	t.Helper()
	got := make([][]string, len(devices))
	var all sync.WaitGroup
	for i, d := range devices {
		all.Go(func() {
			for range n {
				d.SetReadDeadline(time.Now().Add(60 * time.Second))
				_, data, err := d.ReadMessage()
				if err != nil {
					t.Errorf("device %d after %d messages: %v", i, len(got[i]), err)
					return
				}
				got[i] = append(got[i], string(data))
			}
		})
	}
	all.Wait()
	return got
}

func TestOrderOfOneUserIsTheSameOnEveryConnection(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{OnConnect: byQuery}
		one, two := serve(t, &Server{Redis: rdb, Handlers: h}), serve(t, &Server{Redis: rdb, Handlers: h})
		devices := []*device{dial(t, one.URL+"?user=ada"), dial(t, one.URL+"?user=ada"), dial(t, two.URL+"?user=ada")}
		const senders, each = 8, 50
		var sending sync.WaitGroup
		for s := range senders {
			sending.Go(func() {
				ctx := outside(rdb)
				for i := range each {
					if err := To("ada").Send(ctx, fmt.Sprintf("%d %d", s, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		got := collect(t, devices, senders*each)
		sending.Wait()
		for i := range got {
			if !slices.Equal(got[i], got[0]) {
				t.Errorf("device %d received another order than device 0", i)
			}
			checkSenders(t, got[i], each)
		}
	})
}

// checkSenders fails unless the messages "<sender> <n>" of each sender have
// risen by one from 0 to each-1.
func checkSenders(t *testing.T, messages []string, each int) {
	t.Helper()
	next := map[string]int{}
	for _, m := range messages {
		sender, n, _ := strings.Cut(m, " ")
		if n != fmt.Sprint(next[sender]) {
			t.Fatalf("sender %s: received message %s, want %d", sender, n, next[sender])
		}
		next[sender]++
	}
	for sender, n := range next {
		if n != each {
			t.Errorf("sender %s: %d messages, want %d", sender, n, each)
		}
	}
}

// It plays senders that overlapped or died between their two trips.
func TestAGapIsFilledFromTheLog(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		ctx, sender := context.Background(), NewSender(inSlots{rdb})
		var written []*batch
		for i := range 3 {
			written = append(written, appendOnly(ctx, sender, "ada", fmt.Sprint(i)))
		}
		// Only the last one is told, and the second one much later, twice.
		again := *written[1]
		sender.round(ctx, written[2], nil)
		for i := range 3 {
			d.expect(fmt.Sprint(i))
		}
		sender.round(ctx, written[1], nil)
		again.sends = nil // they have ended
		sender.round(ctx, &again, nil)
		if err := To("ada").Send(outside(rdb), "3"); err != nil {
			t.Fatal(err)
		}
		d.expect("3")
	})
}

// inSlots is a Redis of which a Sender does not know that all keys are in one
// place: it makes two trips, as it does on a cluster.
type inSlots struct{ redis.UniversalClient }

// appendOnly makes the first of a send's two trips.
func appendOnly(ctx context.Context, s *Sender, user, text string) *batch {
	f, _ := encode(text)
	d := s.newDispatch(ctx, []channel{userChannel(user)}, record{frame: f}, sendOptions{})
	b := &batch{sends: []*dispatch{d}}
	s.round(ctx, nil, b)
	return b
}

func TestAGapThatTheLogCannotFillClosesWithMissed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		sender := NewSender(inSlots{rdb})
		sender.RetainMessages = 2
		ctx := sender.Context(context.Background())
		for i := range 3 {
			appendOnly(ctx, sender, "ada", fmt.Sprint(i))
		}
		if err := To("ada").Send(ctx, "3"); err != nil {
			t.Fatal(err)
		}
		d.expectClose(CloseMissed)
		again := dial(t, s.URL+"?user=ada")
		if err := To("ada").Send(ctx, "4"); err != nil {
			t.Fatal(err)
		}
		again.expect("4")
	})
}

func TestRedisThatWentBackInTimeClosesWithMissed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		ctx := outside(rdb)
		if err := To("ada").Send(ctx, "before"); err != nil {
			t.Fatal(err)
		}
		d.expect("before")
		forgetMessages(t, ctx, rdb, userChannel("ada"))
		if err := To("ada").Send(ctx, "after"); err != nil {
			t.Fatal(err)
		}
		d.expectClose(CloseMissed)
	})
}

func TestARepeatedAppendIsOneMessage(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		proxy.CutReplies(3, "eval", "xadd")
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		ctx := outside(inSlots{redistest.Client(t, proxy.Addr)})
		for i := range 100 {
			if err := To("ada").Send(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 100 {
			d.expect(fmt.Sprint(i))
		}
		if proxy.Cuts() < 20 {
			t.Errorf("only %d replies were cut", proxy.Cuts())
		}
	})
}

func TestARepeatThatTheLogNoLongerTellsIsUncertain(t *testing.T) {
	for name, lose := range map[string]func(ctx context.Context, sender *Sender, rdb *redis.Client){
		"too many": func(ctx context.Context, sender *Sender, _ *redis.Client) {
			for range 30 { // more than the log keeps, and than it has to spare
				appendOnly(ctx, sender, "ada", "x")
			}
		},
		"expired": func(ctx context.Context, _ *Sender, rdb *redis.Client) {
			rdb.Del(ctx, newKeyspace("").log(userChannel("ada")))
		},
		"expired, and begun anew": func(ctx context.Context, sender *Sender, rdb *redis.Client) {
			rdb.Del(ctx, newKeyspace("").log(userChannel("ada")))
			appendOnly(ctx, sender, "ada", "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				ctx, sender := context.Background(), NewSender(inSlots{rdb})
				sender.RetainMessages = 4
				f, _ := encode("x")
				d := sender.newDispatch(ctx, []channel{userChannel("ada")}, record{frame: f}, sendOptions{})
				sender.round(ctx, nil, &batch{sends: []*dispatch{d}})
				lose(ctx, sender, rdb)
				repeat := sender.newDispatch(ctx, []channel{userChannel("ada")}, record{frame: f}, sendOptions{})
				repeat.stored, repeat.targets[0].unsure = d.stored, true
				sender.round(ctx, nil, &batch{sends: []*dispatch{repeat}})
				if !errors.Is(repeat.err, ErrUncertain) {
					t.Errorf("%v; want ErrUncertain", repeat.err)
				}
			})
		})
	}
}

func TestFourDevicesOnTwoServersReceiveWhatJobsSend(t *testing.T) {
	for name, cutting := range map[string]bool{"calm": false, "replies cut": true} {
		t.Run(name, func(t *testing.T) {
			t.Run("embedded", func(t *testing.T) { fourDevices(t, redistest.Embedded(t), cutting, 250) })
			t.Run("real", func(t *testing.T) { fourDevices(t, redistest.Real(t).Client(t), cutting, 2500) })
		})
	}
}

// fourDevices has four concurrent jobs send some messages each, every one to one
// of 100 users who have two devices on each of two servers. When cutting is set,
// the senders' connections to Redis are cut after requests and before their
// replies.
func fourDevices(t *testing.T, rdb *redis.Client, cutting bool, each int) {
	const users, senders = 100, 4
	addr := rdb.Options().Addr
	proxy := redistest.NewProxy(t, addr)
	var env []string
	if cutting {
		env = append(env, senderVariable+"="+proxy.Addr)
	}
	servers := []*process{start(t, "socket", addr), start(t, "socket", addr)}
	start(t, "worker", addr, env...)
	devices := make([][]*device, users)
	for u := range devices {
		for i := range 4 {
			devices[u] = append(devices[u], dial(t, fmt.Sprintf("%s?user=user-%d", servers[i%2].line, u)))
		}
	}
	client := jobs.NewClient(rdb)
	client.Handles = []jobs.Handler{bursts.Handle(func(context.Context, burst) error { return nil })}
	ctx := client.Context(context.Background())
	if _, err := bursts.Push(ctx, burst{Sender: 99, Messages: 1, Users: 1}); err != nil {
		t.Fatal(err)
	}
	for _, d := range devices[0] {
		d.expect("99 0")
	}
	proxy.CutReplies(50, "eval", "xadd")
	for s := range senders {
		if _, err := bursts.Push(ctx, burst{Sender: s, Messages: each, Users: users}); err != nil {
			t.Fatal(err)
		}
	}
	for u, got := range collectAll(t, devices, senders, each) {
		for i, messages := range got {
			checkBurst(t, fmt.Sprintf("user %d device %d", u, i), messages, senders, each, users, u)
		}
	}
	if cutting && proxy.Cuts() < each/75 {
		t.Errorf("only %d replies were cut", proxy.Cuts())
	}
	t.Logf("%d messages received four times each, %d replies cut", senders*each, proxy.Cuts())
	for u := range devices { // and nothing follows
		if err := To(fmt.Sprintf("user-%d", u)).Send(outside(rdb), "end"); err != nil {
			t.Fatal(err)
		}
		for _, d := range devices[u] {
			d.expect("end")
		}
	}
}

// collectAll reads from every device of every user what the senders send to that
// user.
func collectAll(t *testing.T, devices [][]*device, senders, each int) [][][]string {
	t.Helper()
	got := make([][][]string, len(devices))
	var all sync.WaitGroup
	for u := range devices {
		perSender := (each - u + len(devices) - 1) / len(devices)
		all.Go(func() { got[u] = collect(t, devices[u], senders*perSender) })
	}
	all.Wait()
	return got
}

// checkBurst fails unless a device of user u received, of every sender, exactly
// the messages u, u+users, u+2*users … in this order.
func checkBurst(t *testing.T, who string, messages []string, senders, each, users, u int) {
	t.Helper()
	next := map[string]int{}
	for s := range senders {
		next[fmt.Sprint(s)] = u
	}
	for _, m := range messages {
		sender, n, _ := strings.Cut(m, " ")
		if n != fmt.Sprint(next[sender]) {
			t.Fatalf("%s: sender %s: received message %s, want %d", who, sender, n, next[sender])
		}
		next[sender] += users
	}
	for sender, n := range next {
		if n < each {
			t.Errorf("%s: sender %s: message %d is missing", who, sender, n)
		}
	}
}

func TestRedisStoppedAndStartedUnderLoadLosesNothingAccepted(t *testing.T) {
	server := redistest.Real(t)
	rdb := server.Client(t)
	s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
	d := dial(t, s.URL+"?user=ada")
	// The log must hold what is sent until the server is back, however long that
	// takes, or the device would be told that it missed some.
	sender := NewSender(rdb)
	sender.RetainMessages = 50_000
	ctx, stop := context.WithCancel(sender.Context(context.Background()))
	defer stop()
	var accepted []string
	var failed atomic.Int64
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			m := fmt.Sprint(i)
			if err := To("ada").Send(context.WithoutCancel(ctx), m); err != nil {
				failed.Add(1)
				continue
			}
			accepted = append(accepted, m)
		}
	})
	received := make(chan string, 1<<20)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(received)
		for {
			_, data, err := d.ReadMessage()
			if err != nil || string(data) == "end" {
				return
			}
			received <- string(data)
		}
	})
	wait := func(n int) {
		redistest.Eventually(t, patience, "messages to flow", func() bool { return len(received) >= n })
	}
	wait(100)
	server.Stop()
	redistest.Eventually(t, patience, "a send to fail", func() bool { return failed.Load() > 0 })
	server.Start()
	wait(len(received) + 100)
	stop()
	sending.Wait()
	if err := To("ada").Send(outside(rdb), "end"); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	var got []string
	for m := range received {
		got = append(got, m)
	}
	missing := 0
	for _, m := range accepted {
		if !slices.Contains(got, m) {
			missing++
		}
	}
	seen := map[string]bool{}
	for _, m := range got {
		if seen[m] {
			t.Errorf("message %s came twice", m)
		}
		seen[m] = true
	}
	t.Logf("accepted %d, failed %d, received %d", len(accepted), failed.Load(), len(got))
	if missing > 0 {
		t.Errorf("%d accepted messages were lost", missing)
	}
}

func TestAServerStoppedForLongerThanItsLeaseComesBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) { stopAndContinue(t, rdb, 0) })
}

// stopAndContinue stops a server process until it has been reaped, and for at
// least d, while messages go on to be sent to its user.
func stopAndContinue(t *testing.T, rdb *redis.Client, d time.Duration) {
	addr := rdb.Options().Addr
	one := start(t, "socket", addr)
	start(t, "worker", addr)
	ada := dial(t, one.line+"?user=ada")
	ctx := outside(rdb)
	redistest.Eventually(t, patience, "OnOnline", func() bool { return presenceRecord(t, rdb, "ada") == "online" })
	one.signal(syscall.SIGSTOP)
	stopped, sent := time.Now(), 0
	send := func() {
		if err := To("ada").Send(ctx, fmt.Sprint(sent)); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	send()
	redistest.Eventually(t, d+30*time.Second, "the stopped server to be reaped", func() bool {
		return time.Since(stopped) >= d && !online(t, ctx, "ada") && presenceRecord(t, rdb, "ada") == "online offline"
	})
	for range 20 {
		send()
	}
	one.signal(syscall.SIGCONT)
	redistest.Eventually(t, 30*time.Second, "the server to come back", func() bool {
		return online(t, ctx, "ada") && presenceRecord(t, rdb, "ada") == "online offline online"
	})
	send()
	for i := range sent {
		ada.expect(fmt.Sprint(i))
	}
}

func presenceRecord(t testing.TB, rdb *redis.Client, user string) string {
	t.Helper()
	record, err := rdb.LRange(context.Background(), notesKey(user), 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(record, " ")
}

// dialQuietly is dial for a client that may be refused while servers come and go.
func dialQuietly(url string) (*websocket.Conn, error) {
	conn, resp, err := websocket.DefaultDialer.Dial(url, http.Header{})
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
	return conn, err
}
