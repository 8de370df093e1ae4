package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// profileBurst is how many messages are sent while profiles are taken: more than
// any machine sends in that time.
const profileBurst = 100_000_000

// profile sends to one user a message, as fast as possible, and writes CPU
// profiles of our server and publisher, and what Redis counted, to files.
func profile(ctx context.Context, c config, s side, progress io.Writer) error {
	serverAt, _, err := freeAddr()
	if err != nil {
		return err
	}
	st, err := raise(ctx, s, c.generator(s), "-pprof", serverAt)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer st.strike()
	load, err := st.connect(ctx, c, c.users, "-hold", holdTimeout.String())
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer load.stop()
	publisherAt, _, err := freeAddr()
	if err != nil {
		return err
	}
	command := s.publishing(st.redisAddr, c, toUsersAtOnce(toUser, 1, profileBurst))
	publisher, err := start(ctx, s.name+" publisher", append(command, "-pprof", publisherAt)...)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer publisher.stop()
	wait(ctx, time.Second) // until it is at full speed
	group, ctx := errgroup.WithContext(ctx)
	for name, addr := range map[string]string{"server.pprof": serverAt, "publisher.pprof": publisherAt} {
		group.Go(func() error { return saveProfile(ctx, addr, c.profileFor, filepath.Join(c.profile, name)) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := saveRedisCounts(context.WithoutCancel(ctx), st.redisAddr, filepath.Join(c.profile, "redis.txt")); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	fmt.Fprintf(progress, "profiles are in %s\n", c.profile)
	return nil
}

func saveProfile(ctx context.Context, addr string, d time.Duration, path string) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, int(d.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := once.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("read %s: %s: %s", url, answer.Status, body)
	}
	return os.WriteFile(path, body, 0o644)
}

// saveRedisCounts writes how often Redis carried out which command and what time
// that took.
func saveRedisCounts(ctx context.Context, addr, path string) error {
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	info, err := rdb.Info(ctx, "commandstats", "cpu").Result()
	if err != nil {
		return fmt.Errorf("ask Redis what it did: %w", err)
	}
	return os.WriteFile(path, []byte(info), 0o644)
}
