package socket

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
	"github.com/redis/go-redis/v9"
)

const herdVariable = "SOCKET_TEST_HERD" // a herd, as JSON

// herd is a process of resuming clients, each of a user of its own, who go to
// the first of some servers as long as it lives.
type herd struct {
	First, Users int
	Servers      []string // addresses
}

// arrival is what the process prints when every client has been accepted once
// more than before.
type arrival struct {
	Failed         map[string]int // attempts to connect, until now, by the last words of the error
	Unrecovered    int            // clients that could not resume, until now
	P50, P99, Last time.Duration
}

// herdMain is the process.
func herdMain(ctx context.Context) error {
	var c herd
	if err := json.Unmarshal([]byte(os.Getenv(herdVariable)), &c); err != nil {
		return err
	}
	dialer := dialerTo(func() []string {
		all := slices.Clone(c.Servers)
		rand.Shuffle(len(all)-1, func(i, j int) { all[i+1], all[j+1] = all[j+1], all[i+1] })
		return all
	})
	var mu sync.Mutex
	failed, unrecovered := map[string]int{}, 0
	lost, took := make([]time.Time, c.Users), map[int][]time.Duration{} // by the number of the arrival
	var running sync.WaitGroup
	for i := range c.Users {
		lost[i] = time.Now()
		times := 0
		d := client.Client{URL: "ws://herd/?user=" + userName(c.First+i), Dialer: dialer, Logger: quiet}
		d.OnDisconnected = func(_ context.Context, err error, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if lost[i].IsZero() {
				lost[i] = time.Now()
			} else {
				failed[err.Error()[strings.LastIndex(err.Error(), ": ")+1:]]++
			}
		}
		d.OnConnected = func(_ context.Context, s client.Session) {
			mu.Lock()
			defer mu.Unlock()
			if s.Resumed && !s.Recovered {
				unrecovered++
			}
			took[times] = append(took[times], time.Since(lost[i]))
			if all := took[times]; len(all) == c.Users {
				slices.Sort(all)
				line, _ := json.Marshal(arrival{failed, unrecovered, all[len(all)/2], all[len(all)*99/100], all[len(all)-1]})
				fmt.Println(string(line))
			}
			lost[i] = time.Time{}
			times++
		}
		running.Go(func() {
			if err := d.Run(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "herd:", err)
			}
		})
	}
	running.Wait()
	return nil
}

// next waits for the herd's next arrival.
func (p *process) next(within time.Duration) (a arrival) {
	p.t.Helper()
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() { // ends with the process
		line, err := p.read()
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		if r.err == nil {
			r.err = json.Unmarshal([]byte(r.line), &a)
		}
		if r.err != nil && r.err != io.EOF {
			p.t.Fatal(r.err)
		}
	case <-time.After(within):
		p.t.Fatalf("not everybody is connected after %v", within)
	}
	return a
}

func TestEverybodyIsBackAfterAServersDeath(t *testing.T) {
	t.Parallel()
	storm(t, 300, 1, "2s")
}

// storm kills the server that everybody is connected to.
func storm(t *testing.T, connections, herds int, lease string) {
	server := redistest.Real(t)
	rdb := server.Client(t)
	start(t, "worker", server.Addr)
	f := newFleet(t, server.Addr, 3, leaseVariable+"="+lease)
	addresses := make([]string, 3)
	for i, p := range f.servers {
		addresses[i] = strings.TrimPrefix(p.line, "ws://")
	}
	began := time.Now()
	var all []*process
	for i := range herds {
		b, err := json.Marshal(herd{First: i * connections / herds, Users: connections / herds, Servers: addresses})
		if err != nil {
			t.Fatal(err)
		}
		p, err := launch(t, "herd", server.Addr, herdVariable+"="+string(b)) // returns with the first arrival
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	t.Logf("%d connections to one server within %v", connections, time.Since(began).Round(10*time.Millisecond))
	redistest.Eventually(t, 6*patience, "everybody's OnOnline", func() bool { return presenceJobs(t, rdb, connections) == connections })
	generations := generationsOf(t, rdb, connections)

	commands, byName := commandsOf(t, rdb)
	began = time.Now()
	f.end(syscall.SIGKILL)
	for _, p := range all {
		a := p.next(30 * time.Second)
		t.Logf("back after p50 %v, p99 %v, last %v; attempts failed: %v; %d could not resume", a.P50.Round(time.Millisecond),
			a.P99.Round(time.Millisecond), a.Last.Round(time.Millisecond), a.Failed, a.Unrecovered)
		if a.Unrecovered > 0 {
			t.Errorf("%d clients could not resume", a.Unrecovered)
		}
	}
	took := time.Since(began)
	after, byNameAfter := commandsOf(t, rdb)
	t.Logf("%d connections back within %v; %d Redis commands, %.1f for each: %s", connections, took.Round(10*time.Millisecond),
		after-commands, float64(after-commands)/float64(connections), most(byName, byNameAfter))
	leasesLeft(t, rdb, 2) // the dead server was reaped
	now := generationsOf(t, rdb, connections)
	changed := 0
	for i := range now {
		if now[i] != generations[i] {
			changed++
		}
	}
	jobs := presenceJobs(t, rdb, connections) - connections
	t.Logf("%d presence jobs, %d users with a transition", jobs, changed)
	if jobs > 0 || changed > 0 {
		t.Error("users who were back within the grace were offline")
	}
}

// presenceJobs counts the presence handlers that succeeded.
func presenceJobs(t testing.TB, rdb *redis.Client, users int) (n int) {
	t.Helper()
	pipe := rdb.Pipeline()
	lengths := make([]*redis.IntCmd, users)
	for i := range lengths {
		lengths[i] = pipe.LLen(t.Context(), notesKey(userName(i)))
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, l := range lengths {
		n += int(l.Val())
	}
	return n
}

// generationsOf returns a number for each user that changes with every transition.
func generationsOf(t testing.TB, rdb *redis.Client, users int) []string {
	t.Helper()
	pipe := rdb.Pipeline()
	all := make([]*redis.StringCmd, users)
	for i := range all {
		all[i] = pipe.HGet(t.Context(), newKeyspace("").presence(userName(i)), "generation")
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	values := make([]string, users)
	for i, cmd := range all {
		values[i] = cmd.Val()
	}
	return values
}

// commandsOf returns how many commands Redis has carried out, those of scripts
// among them.
func commandsOf(t testing.TB, rdb *redis.Client) (total int, byName map[string]int) {
	t.Helper()
	info, err := rdb.Info(t.Context(), "stats", "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	byName = map[string]int{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "total_commands_processed" {
			total, _ = strconv.Atoi(value)
		} else if name, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			byName[name], _ = strconv.Atoi(calls)
		}
	}
	return total, byName
}

// most names the commands that were carried out most often in between.
func most(before, after map[string]int) string {
	names := slices.SortedFunc(maps.Keys(after), func(a, b string) int {
		return cmp.Compare(after[b]-before[b], after[a]-before[a])
	})
	var text []string
	for _, name := range names[:min(12, len(names))] {
		text = append(text, fmt.Sprintf("%s %d", name, after[name]-before[name]))
	}
	return strings.Join(text, ", ")
}
