package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connectTimeout is how long Redis may take to answer at the start.
const connectTimeout = 5 * time.Second

// oldestRedis is the first major version that has all the commands used here.
const oldestRedis = 7

// store is the Redis of a program.
type store struct {
	client   *redis.Client
	embedded *embedded.Server // nil: another process
}

// openStore connects to the Redis at rawURL and checks that it can be used, or
// starts an embedded one if rawURL is empty.
func openStore(ctx context.Context, rawURL string) (*store, error) {
	s := &store{}
	if rawURL == "" {
		server, err := embedded.Start()
		if err != nil {
			return nil, err
		}
		s.embedded = server
		rawURL = server.URL()
	}
	options, err := parseRedisURL(rawURL)
	if err != nil {
		s.close()
		return nil, err
	}
	s.client = redis.NewClient(options)
	if err := s.check(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close ends the client and then the embedded Redis.
func (s *store) close() {
	if s.client != nil {
		s.client.Close()
	}
	if s.embedded != nil {
		s.embedded.Close()
	}
}

func (s *store) String() string {
	if s.embedded != nil {
		return "embedded, for development: its content is gone when this process ends; set REDIS_URL to use another"
	}
	return s.client.Options().Addr
}

// check asks Redis whether it is there, new enough, and may be written to by us.
func (s *store) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	addr := s.client.Options().Addr
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach Redis at %s: %w", addr, err)
	}
	// The embedded Redis does not tell its version, and some providers forbid INFO.
	info, err := s.client.Info(ctx, "server").Result()
	if err != nil {
		return nil
	}
	if version := redisVersion(info); version != "" && major(version) < oldestRedis {
		return fmt.Errorf("use Redis at %s: it is version %s, and at least version %d is needed", addr, version, oldestRedis)
	}
	return nil
}

func redisVersion(info string) string {
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			return strings.TrimSpace(version)
		}
	}
	return ""
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return oldestRedis // not a number: a development version
	}
	return n
}

// parseRedisURL reads a redis://, rediss:// or unix:// URL. Its errors do not show
// a password.
func parseRedisURL(raw string) (*redis.Options, error) {
	shown := raw
	if strings.Contains(raw, "@") {
		shown = "(not shown: it may have a password)"
		if u, err := url.Parse(raw); err == nil {
			shown = u.Redacted()
		}
	}
	options, err := redis.ParseURL(raw)
	if err != nil {
		var syntax *url.Error
		if errors.As(err, &syntax) {
			// It quotes parts of the URL, and an unescaped password among them.
			err = errors.New("it is not a URL; in user names and passwords write / : @ # ? % as %2F, %3A and so on")
		}
		return nil, fmt.Errorf("REDIS_URL %s: want redis://, rediss:// or unix://: %w", shown, err)
	}
	// A deadline of the caller is a deadline, as in the health check.
	options.ContextTimeoutEnabled = true
	// Announcements of maintenance exist in one vendor's service only; everywhere
	// else asking for them is a failed command on each new connection.
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options, nil
}
