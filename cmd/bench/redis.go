package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"time"
)

// startTimeout is how long Redis or a server may take to be ready.
const startTimeout = 20 * time.Second

// startRedis starts a redis-server that keeps nothing on a disk, and returns
// its address.
func startRedis(ctx context.Context) (*process, string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, "", fmt.Errorf("a redis-server is needed on the PATH: %w", err)
	}
	addr, port, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, "redis-server", path, "--bind", "127.0.0.1", "--port", port,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	if err != nil {
		return nil, "", err
	}
	err = p.until(ctx, startTimeout, "Redis to accept connections", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return p, addr, nil
}

// freeAddr returns an address that nobody listens on. Its port is below those
// that Linux gives to outgoing connections, of which there are going to be many.
func freeAddr() (addr, port string, err error) {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		addr := l.Addr().String()
		l.Close()
		_, port, err := net.SplitHostPort(addr)
		return addr, port, err
	}
	return "", "", errors.New("found no port to listen on")
}
