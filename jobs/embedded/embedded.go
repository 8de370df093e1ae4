// Package embedded runs a Redis inside the process, for development and tests.
//
// It keeps everything in memory: what is in it is gone when the process ends,
// and no other machine can reach it. Expiry follows the wall clock, as on a
// real server.
package embedded

import (
	"fmt"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Server is an embedded Redis that listens on a free port of 127.0.0.1.
type Server struct {
	// Addr is the "host:port" it listens on.
	Addr string

	mini *miniredis.Miniredis
	once sync.Once
}

// Start starts a Server. The caller closes it.
func Start() (*Server, error) {
	mini := miniredis.NewMiniRedis()
	if err := mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	// Without this, time stands still for keys that expire, and leases with it.
	mini.ClockTTL(true)
	return &Server{Addr: mini.Addr(), mini: mini}, nil
}

// URL returns the redis:// URL of the server.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Client returns a new client of the server. The caller closes it.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr})
}

// Close stops the server and drops what it holds. Closing twice is fine.
func (s *Server) Close() { s.once.Do(s.mini.Close) }
