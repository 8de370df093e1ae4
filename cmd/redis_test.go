package cmd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestRedisURLs(t *testing.T) {
	for url, want := range map[string]string{
		"redis://10.0.0.1":                   "tcp 10.0.0.1:6379 db 0 tls false",
		"redis://me:secret@redis:6380/3":     "tcp redis:6380 db 3 tls false",
		"rediss://redis.example:6379":        "tcp redis.example:6379 db 0 tls true",
		"unix:///run/redis/redis.sock?db=2":  "unix /run/redis/redis.sock db 2 tls false",
		"redis://h:1?pool_size=7&protocol=3": "tcp h:1 db 0 tls false",
	} {
		o, err := parseRedisURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := fmt.Sprintf("%s %s db %d tls %v", o.Network, o.Addr, o.DB, o.TLSConfig != nil)
		if got != want || !o.ContextTimeoutEnabled {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

// Wherever a password is, and however wrong the rest, no error shows it.
func TestErrorsAboutARedisURLShowNoPassword(t *testing.T) {
	for _, raw := range []string{
		"redis://h?password=s3cret", "redis://h:6379/0?password=s3cret&pool_size=x", "rediss://h?pool_size=7&auth=s3cret",
		"redis://me:s3cret@h?nonsense=1", "redis://s3cret@h?nonsense=1", "unix://me:s3cret@/run/redis.sock?nonsense=1",
		"s3cret@h", "me:s3cret@h:6379", ":s3cret@h", "h?password=s3cret", "redis:s3cret@h:6379", "redis:///:s3cret@h",
		"redis://me:12?s3cret@h:6379", "redis://me:12/s3cret@h:6379", "redis://me:12#s3cret@h:6379", "redis://me:s3cret%zz@h",
		"http://me:s3cret@h", "redis://me:pa/s3cret@h",
	} {
		_, err := parseRedisURL(raw)
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), "REDIS_URL ") {
			t.Errorf("%s: got %v", raw, err)
		}
	}
	_, err := parseRedisURL("redis://me:s3cret@h:6379/2?password=s3cret&pool_size=7")
	const want = "REDIS_URL redis://…@h:6379/2?password=…&pool_size=…: want redis://, rediss:// or unix://: redis: unexpected option: password"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestStoreIsUsable(t *testing.T) {
	for name, url := range map[string]string{"embedded": "", "real": "redis://" + redistest.Real(t).Addr} {
		s, err := openStore(t.Context(), url, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.client.Set(t.Context(), "a", "b", 0).Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (s.embedded != nil) != (url == "") {
			t.Errorf("%s: embedded %v", name, s.embedded)
		}
		s.close()
	}
}

// Redis is what redisstep.Check finds it to be: the program names it, and what is
// wrong with it.
func TestWrongRedisIsRefused(t *testing.T) {
	for want, server := range map[string]*redistest.Server{
		"it is a node of a Redis Cluster": redistest.Real(t, redistest.Args("--cluster-enabled", "yes")),
		"it is a replica":                 redistest.Replica(t),
	} {
		s, err := openStore(t.Context(), "redis://"+server.Addr, nil)
		if err == nil {
			s.close()
		}
		if err == nil || !strings.Contains(err.Error(), "use Redis at "+server.Addr+": "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
