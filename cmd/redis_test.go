package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
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

func TestStoreIsUsable(t *testing.T) {
	for name, url := range map[string]string{"embedded": "", "real": "redis://" + redistest.Real(t).Addr} {
		s, err := openStore(t.Context(), url)
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

func TestOldRedisIsRefused(t *testing.T) {
	for version, refused := range map[string]bool{"6.2.14": true, "7.0.15": false, "10.0.0": false, "unstable": false} {
		s, err := openStore(t.Context(), "redis://"+pretendRedis(t, version))
		if err == nil {
			s.close()
		}
		if refused != (err != nil) || err != nil && !strings.Contains(err.Error(), "it is version "+version) {
			t.Errorf("version %s: got %v", version, err)
		}
	}
}

// pretendRedis listens as a Redis that knows nothing but its version.
func pretendRedis(t *testing.T, version string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer(conn, "# Server\r\nredis_version:"+version+"\r\n")
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

// answer reads commands and answers PING and INFO.
func answer(conn net.Conn, info string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		words, err := command(in)
		switch {
		case err != nil:
			return
		case words[0] == "ping":
			io.WriteString(conn, "+PONG\r\n")
		case words[0] == "info":
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(info), info)
		default:
			io.WriteString(conn, "-ERR unknown command\r\n")
		}
	}
}

func command(in *bufio.Reader) ([]string, error) {
	var n int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil || n == 0 {
		return nil, errors.New("not a command")
	}
	words := make([]string, n)
	for i := range words {
		var size int
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words[i] = strings.ToLower(string(word[:size]))
	}
	return words, nil
}
