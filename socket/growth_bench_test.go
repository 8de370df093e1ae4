package socket

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// BenchmarkGrowth measures the steps that have to do with something that may be large,
// with more and more of it: for how long a real Redis is busy with one operation, and
// the longest single step of it, both in µs of Redis.
func BenchmarkGrowth(b *testing.B) {
	for _, step := range growing {
		for _, size := range []int{100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", step.name, size), func(b *testing.B) {
				server := redistest.Real(b)
				rdb := server.Client(b)
				// Rewriting its file, in a process that shares its memory, would make each step slower.
				if err := rdb.ConfigSet(b.Context(), "auto-aof-rewrite-percentage", "0").Err(); err != nil {
					b.Fatal(err)
				}
				growth(b, rdb, step.prepare(b, rdb, size))
			})
		}
	}
}

// operation does something for the nth time. What it needs for that, reset makes.
type operation struct{ reset, do func(n int) error }

func growth(b *testing.B, rdb *redis.Client, op operation) {
	ctx := context.Background()
	busy, longest := 0.0, 0.0
	n := 0
	for b.Loop() {
		n++
		b.StopTimer()
		if op.reset != nil {
			if err := op.reset(n); err != nil {
				b.Fatal(err)
			}
		}
		if err := rdb.ConfigResetStat(ctx).Err(); err != nil {
			b.Fatal(err)
		}
		rdb.Do(ctx, "slowlog", "reset")
		b.StartTimer()
		if err := op.do(n); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		one, most := busyTime(b, rdb)
		busy += one
		longest = max(longest, most)
		b.StartTimer()
	}
	b.ReportMetric(busy/float64(n), "redis-µs/op")
	b.ReportMetric(longest, "longest-µs")
}

// busyTime returns for how long Redis carried out commands since its statistics were
// reset, and the longest of them, in µs.
func busyTime(b *testing.B, rdb *redis.Client) (all, longest float64) {
	b.Helper()
	ctx := context.Background()
	stats, err := rdb.Info(ctx, "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(stats) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		// What a script calls is in the time of the script as well.
		for _, word := range strings.Split(rest, ",") {
			if usec, ok := strings.CutPrefix(word, "usec="); ok && !strings.HasPrefix(name, "cmdstat_config") && !strings.HasPrefix(name, "cmdstat_info") &&
				!strings.HasPrefix(name, "cmdstat_slowlog") {
				n, _ := strconv.ParseFloat(usec, 64)
				if strings.HasPrefix(name, "cmdstat_eval") || !inScripts[strings.TrimPrefix(name, "cmdstat_")] {
					all += n
				}
			}
		}
	}
	logs, err := rdb.SlowLogGet(ctx, -1).Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, one := range logs {
		if name := strings.ToLower(one.Args[0]); name != "info" && name != "config" {
			longest = max(longest, float64(one.Duration.Microseconds()))
		}
	}
	return all, longest
}

// inScripts are the commands that count as a part of the scripts that call them.
var inScripts = map[string]bool{}

func init() {
	for _, name := range strings.Fields("time mget mset get set del exists rename hget hset hdel hlen hkeys hexists zadd zrem zscore zcard zcount zrange zrangebyscore " +
		"rpush llen ltrim lindex pexpire persist xtrim sadd srem incrby decrby") {
		inScripts[name] = true
	}
}

// growing are the steps. The names tell what there are so many of.
var growing = []struct {
	name    string
	prepare func(b *testing.B, rdb *redis.Client, size int) operation
}{
	{"new-key-of-a-full-Latest", func(b *testing.B, rdb *redis.Client, size int) operation {
		ctx := outside(rdb)
		send := func(n int) error {
			return To("ada").Send(ctx, "x", Latest(strconv.Itoa(n)), Retain(size, time.Hour))
		}
		inTurn(b, size, send)
		return operation{do: func(n int) error { return send(size + n) }}
	}},
	{"new-value-of-a-full-Latest", func(b *testing.B, rdb *redis.Client, size int) operation {
		ctx := outside(rdb)
		send := func(n int) error {
			return To("ada").Send(ctx, "x", Latest(strconv.Itoa(n%size)), Retain(size, time.Hour))
		}
		inTurn(b, size, send)
		return operation{do: send}
	}},
	{"user-in-topics-goes-offline", func(b *testing.B, rdb *redis.Client, size int) operation {
		ctx, k := outside(rdb), newKeyspace("")
		p := presence{rdb, k, (&Reaper{Redis: rdb}).jobs()}
		l := benchLease(b, rdb)
		return operation{
			reset: func(int) error {
				if err := benchRegister(ctx, p, l, "ada"); err != nil {
					return err
				}
				return benchTopics(ctx, rdb, "ada", size)
			},
			do: func(int) error {
				_, err := p.unregister(ctx, "ada", l.server)
				if err == nil {
					err = p.flush(ctx, "ada")
				}
				return err
			},
		}
	}},
	{"user-in-topics-joins-one", func(b *testing.B, rdb *redis.Client, size int) operation {
		s := serveGrowth(b, rdb)
		ctx := outside(rdb)
		if err := benchTopics(ctx, rdb, "ada", size); err != nil {
			b.Fatal(err)
		}
		p := presence{rdb, newKeyspace(""), (&Reaper{Redis: rdb}).jobs()}
		if err := benchRegister(ctx, p, benchLease(b, rdb), "ada"); err != nil {
			b.Fatal(err)
		}
		return operation{do: func(n int) error {
			topic := fmt.Sprint("new-", n)
			if err := Join(jobs.WithUserID(ctx, "ada"), topic); err != nil {
				return err
			}
			return s.topicIsRead(ctx, rdb, "ada", topic)
		}}
	}},
	{"members-of-a-topic", func(b *testing.B, rdb *redis.Client, size int) operation {
		ctx, k := outside(rdb), newKeyspace("")
		inTurn(b, size, func(n int) error { return rdb.HSet(ctx, k.members("news"), fmt.Sprint("user-", n), n).Err() })
		return operation{do: func(int) error {
			users, err := Members(ctx, "news")
			if err == nil && len(users) != size {
				err = fmt.Errorf("%d members", len(users))
			}
			return err
		}}
	}},
	{"look-at-the-leases", func(b *testing.B, rdb *redis.Client, size int) operation {
		ctx := context.Background()
		l := leases{rdb, newKeyspace("")}
		inTurn(b, size, func(n int) error {
			return rdb.ZAdd(ctx, l.keys.leases(), redis.Z{Score: float64(time.Now().Add(time.Hour).UnixMilli()), Member: fmt.Sprint(n)}).Err()
		})
		return operation{do: func(int) error { return lookOnce(ctx, l) }}
	}},
	{"repeat-of-a-send-to-a-full-log", func(b *testing.B, rdb *redis.Client, size int) operation {
		ctx := outside(rdb)
		s, _ := senderFrom(ctx)
		o := sendOptions{retain: true, messages: size, age: time.Hour}
		r := record{frame: frame{opcode: 1, data: []byte("x")}}
		inTurn(b, size, func(int) error { return s.dispatch(s.newDispatch(ctx, []channel{userChannel("ada")}, r, o)) })
		return operation{do: func(int) error {
			d := s.newDispatch(ctx, []channel{userChannel("ada")}, r, o)
			if err := s.dispatch(d); err != nil {
				return err
			}
			again := s.newDispatch(ctx, []channel{userChannel("ada")}, r, o)
			again.stored = d.stored
			again.targets[0].unsure = true
			return s.dispatch(again)
		}}
	}},
}

// inTurn calls do with so many numbers, some at once.
func inTurn(b *testing.B, size int, do func(n int) error) {
	b.Helper()
	numbers := make([]int, size)
	for i := range numbers {
		numbers[i] = i
	}
	if err := inParallel(numbers, do); err != nil {
		b.Fatal(err)
	}
}

// benchTopics puts a user into so many topics.
func benchTopics(ctx context.Context, rdb *redis.Client, user string, size int) error {
	k := newKeyspace("")
	pipe := rdb.Pipeline()
	state := formatVersion + strings.Repeat("0", 4*sequenceDigits)
	for i := range size {
		topic := fmt.Sprint("topic-", i)
		pipe.HSet(ctx, k.topics(user), topic, "1700000000000001 "+state)
		pipe.HSet(ctx, k.members(topic), user, "1700000000000001")
		if pipe.Len() >= 2000 || i == size-1 {
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
