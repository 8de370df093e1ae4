package redisstep_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// check checks with everything, and returns what was logged.
func check(t *testing.T, rdb redis.UniversalClient) (string, error) {
	t.Helper()
	var logged bytes.Buffer
	err := redisstep.Check(t.Context(), rdb, slog.New(slog.NewTextHandler(&logged, nil)), redisstep.BlockingRead)
	return logged.String(), err
}

func TestCheckPassesARedisThatDoes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		if logged, err := check(t, rdb); err != nil || logged != "" {
			t.Errorf("got %v, logged %s", err, logged)
		}
		for _, key := range rdb.Keys(t.Context(), "*").Val() {
			if ttl := rdb.PTTL(t.Context(), key).Val(); !strings.HasPrefix(key, "queuerun:check:") || ttl <= 0 || ttl > time.Minute {
				t.Errorf("it left the key %q behind for %v", key, ttl)
			}
		}
	})
}

func TestCheckRefusesARedisThatCannotDo(t *testing.T) {
	for name, test := range map[string]struct {
		redis func(t *testing.T) *redis.Client
		want  []string
	}{
		"replica":          {replica, []string{"it is a replica", "address of its primary"}},
		"writable replica": {writableReplica, []string{"it is a replica", "lost"}},
		"node without slots": {func(t *testing.T) *redis.Client {
			return clusterNode(t, false)
		}, []string{"node of a Redis Cluster"}},
		"node with all slots": {func(t *testing.T) *redis.Client {
			return clusterNode(t, true)
		}, []string{"node of a Redis Cluster"}},
		"node that hides it": {func(t *testing.T) *redis.Client {
			return user(t, clusterNode(t, true), "~*", "&*", "+@all", "-info")
		}, []string{"node of a Redis Cluster", "CROSSSLOT"}},
		"replica that hides it": {func(t *testing.T) *redis.Client {
			return user(t, replica(t), "~*", "&*", "+@all", "-info")
		}, []string{"it is a replica", "READONLY"}},
		"replicas are missing": {func(t *testing.T) *redis.Client {
			return redistest.Real(t, redistest.Args("--min-replicas-to-write", "1")).Client(t)
		}, []string{"min-replicas-to-write", "NOREPLICAS"}},
		"no scripts": {func(t *testing.T) *redis.Client {
			return user(t, redistest.Real(t).Client(t), "~*", "&*", "+@all", "-@scripting")
		}, []string{"try a script", "ACL SETUSER", "NOPERM"}},
		"no writes": {func(t *testing.T) *redis.Client {
			return user(t, redistest.Real(t).Client(t), "~*", "&*", "+@all", "-set")
		}, []string{"try a script", "ACL SETUSER"}},
		"other keys": {func(t *testing.T) *redis.Client {
			return user(t, redistest.Real(t).Client(t), "~app:*", "&*", "+@all")
		}, []string{"try a script", "~queuerun:*", "NOPERM"}},
		"no streams": {func(t *testing.T) *redis.Client {
			return user(t, redistest.Real(t).Client(t), "~*", "&*", "+@all", "-xread")
		}, []string{"try a read that waits", "NOPERM"}},
		"version 6.2.14": {func(t *testing.T) *redis.Client {
			return version(t, "6.2.14")
		}, []string{"it is version 6.2.14, and at least version 7 is needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := test.redis(t)
			_, err := check(t, rdb)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestCheckPassesNewAndUnknownVersions(t *testing.T) {
	for _, v := range []string{"7.0.0", "10.0.0", "unstable", ""} {
		if logged, err := check(t, version(t, v)); err != nil || logged != "" {
			t.Errorf("version %q: %v, logged %s", v, err, logged)
		}
	}
}

func TestCheckWarnsOfWhatIsOnlyLess(t *testing.T) {
	for name, test := range map[string]struct {
		change func(rdb *redis.Client) error
		want   string
	}{
		"full": {func(rdb *redis.Client) error {
			return rdb.ConfigSet(context.Background(), "maxmemory", "1").Err()
		}, "the memory of Redis is full"},
		"no channels": {func(rdb *redis.Client) error {
			return acl(rdb, "default", "resetchannels")
		}, "&queuerun:* &asynq:*"},
		"only our channels": {func(rdb *redis.Client) error {
			return acl(rdb, "default", "resetchannels", "&queuerun:*")
		}, "cancelled in the dashboard"},
		"no publish": {func(rdb *redis.Client) error {
			return acl(rdb, "default", "-publish")
		}, "&queuerun:* &asynq:*"},
	} {
		rdb := redistest.Real(t).Client(t)
		if err := test.change(rdb); err != nil {
			t.Fatal(err)
		}
		logged, err := check(t, rdb)
		if err != nil || strings.Count(logged, "level=WARN") != 1 || !strings.Contains(logged, test.want) {
			t.Errorf("%s: got %v, logged %s", name, err, logged)
		}
	}
}

// The user whom the errors tell to make lacks nothing.
func TestCheckPassesTheUserThatItTellsToMake(t *testing.T) {
	rdb := user(t, redistest.Real(t).Client(t), "~queuerun:*", "~asynq:*", "&queuerun:*", "&asynq:*", "+@all", "-@dangerous")
	if logged, err := check(t, rdb); err != nil || logged != "" {
		t.Errorf("got %v, logged %s", err, logged)
	}
}

func TestCheckWaitsForWhatPasses(t *testing.T) {
	server := redistest.Real(t, redistest.Args("--min-replicas-to-write", "1"))
	rdb := server.Client(t)
	asked := make(chan struct{})
	rdb.AddHook(hook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, cmd)
		if redis.HasErrorPrefix(err, "NOREPLICAS") {
			select {
			case <-asked:
			default:
				close(asked)
			}
		}
		return err
	}))
	go func() {
		<-asked
		server.Client(t).ConfigSet(context.Background(), "min-replicas-to-write", "0")
	}()
	if logged, err := check(t, rdb); err != nil || logged != "" {
		t.Errorf("got %v, logged %s", err, logged)
	}
}

func TestWhatIsCheckedIsNotCheckedAgain(t *testing.T) {
	rdb, other := redistest.Embedded(t), redistest.Embedded(t)
	ctx := redisstep.Checked(t.Context(), rdb)
	var said []string
	note := hook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		if name := cmd.Name(); name != "hello" && name != "client" { // of each new connection
			said = append(said, name)
		}
		return next(ctx, cmd)
	})
	rdb.AddHook(note)
	if err := redisstep.Check(ctx, rdb, slog.Default(), redisstep.BlockingRead); err != nil || strings.Join(said, " ") != "xread" {
		t.Errorf("got %v, after %v", err, said)
	}
	other.AddHook(note)
	if err := redisstep.Check(ctx, other, slog.Default()); err != nil || len(said) == 1 {
		t.Errorf("another Redis: %v, after %v", err, said)
	}
	if len(said) > 10 {
		t.Errorf("it takes %d commands: %v", len(said), said)
	}
}

func replica(t *testing.T) *redis.Client { return redistest.Replica(t).Client(t) }

func writableReplica(t *testing.T) *redis.Client {
	rdb := replica(t)
	if err := rdb.ConfigSet(t.Context(), "replica-read-only", "no").Err(); err != nil {
		t.Fatal(err)
	}
	return rdb
}

func clusterNode(t *testing.T, slots bool) *redis.Client {
	rdb := redistest.Real(t, redistest.Args("--cluster-enabled", "yes")).Client(t)
	if !slots {
		return rdb
	}
	if err := rdb.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, 10*time.Second, "the cluster to be there", func() bool {
		return strings.Contains(rdb.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	})
	return rdb
}

// user makes a user of Redis and returns a client that is this user.
func user(t *testing.T, admin *redis.Client, rules ...string) *redis.Client {
	t.Helper()
	if err := acl(admin, "app", append([]string{"on", ">secret", "resetchannels"}, rules...)...); err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: admin.Options().Addr, Username: "app", Password: "secret"})
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

func acl(rdb *redis.Client, user string, rules ...string) error {
	args := []any{"ACL", "SETUSER", user}
	for _, rule := range rules {
		args = append(args, rule)
	}
	return rdb.Do(context.Background(), args...).Err()
}

// version is a Redis that says that it is of another version.
func version(t *testing.T, v string) *redis.Client {
	rdb := redistest.Real(t).Client(t)
	rdb.AddHook(hook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		if cmd, ok := cmd.(*redis.StringCmd); ok && cmd.Name() == "info" {
			cmd.SetVal("# Server\r\nredis_version:" + v + "\r\nredis_mode:standalone\r\n")
			return nil
		}
		return next(ctx, cmd)
	}))
	return rdb
}

type hook func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error

func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h(ctx, cmd, next) }
}
func (hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
