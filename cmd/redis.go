package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connectTimeout is how long Redis may take to answer at the start.
const connectTimeout = 5 * time.Second

// store is the Redis of a program.
type store struct {
	client   *redis.Client
	embedded *embedded.Server // nil: another process
}

// openStore connects to the Redis at rawURL and checks that it can be used, or
// starts an embedded one if rawURL is empty.
func openStore(ctx context.Context, rawURL string, log *slog.Logger) (*store, error) {
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
	if err := s.check(ctx, log); err != nil {
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

// check asks Redis whether it is there, and tries what will be needed of it.
func (s *store) check(ctx context.Context, log *slog.Logger) error {
	addr := s.client.Options().Addr
	reaching, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := s.client.Ping(reaching).Err(); err != nil && !redisstep.Answered(err) {
		return fmt.Errorf("reach Redis at %s: %w", addr, err)
	}
	if err := redisstep.Check(ctx, s.client, guard.Logger(log)); err != nil {
		return fmt.Errorf("use Redis at %s: %w", addr, err)
	}
	return nil
}

// parseRedisURL reads a redis://, rediss:// or unix:// URL. Its errors show no
// password, nor what may be one.
func parseRedisURL(raw string) (*redis.Options, error) {
	shown, err := shownURL(raw)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL (not shown: it may have a password): want redis://, rediss:// or unix://: %w", err)
	}
	options, err := redis.ParseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL %s: want redis://, rediss:// or unix://: %w", shown, err)
	}
	// A deadline of the caller is a deadline, as in the health check.
	options.ContextTimeoutEnabled = true
	// Announcements of maintenance exist in one vendor's service only; everywhere
	// else asking for them is a failed command on each new connection.
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options, nil
}

// errNotURL is the error about a URL of which not even a part can be shown: without a
// scheme, or with a character that ends the password too early, anything may be it.
var errNotURL = errors.New("it is not a URL; in user names and passwords write / : @ # ? % as %2F, %3A and so on")

// onlyHost is a host and a port, which is easily taken for a URL.
var onlyHost = regexp.MustCompile(`^[\w.-]+:\d{1,5}$`)

// shownURL returns what can be shown of a URL to whoever reads the log: neither who
// uses it nor the values of options.
func shownURL(raw string) (string, error) {
	if onlyHost.MatchString(raw) {
		return raw, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Opaque != "" || u.Fragment != "" || strings.Contains(u.Path+u.RawQuery, "@") {
		return "", errNotURL
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += "…@"
	}
	shown += u.Host + u.EscapedPath()
	sign := "?"
	for _, name := range slices.Sorted(maps.Keys(u.Query())) {
		shown += sign + url.QueryEscape(name) + "=…"
		sign = "&"
	}
	return shown, nil
}
