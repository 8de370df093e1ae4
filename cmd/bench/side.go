package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// protocolV1 is the subprotocol with which clients can resume.
const protocolV1 = "queuerun.v1"

// defaultProtocol is what clients of our server speak; empty is plain messages.
const defaultProtocol = "queuerun.v1"

// side is one of those who are compared: how to start its processes, and what
// its clients say.
type side struct {
	name    string
	program string // has the modes "serve" and "publish"
	serve   []string
	path    string // of its WebSocket endpoint

	// audiences tells whether it can send one message to many users. One that
	// cannot sends as many messages instead.
	audiences bool

	protocol, first, pong string
}

// ours is this program, as a server and as a publisher.
func ours(c config) (side, error) {
	self, err := os.Executable()
	if err != nil {
		return side{}, fmt.Errorf("find this program: %w", err)
	}
	s := side{name: "queuerun", program: self, path: "/socket", audiences: true, protocol: c.protocol}
	if c.presence {
		s.serve = []string{"-presence"}
	}
	if s.protocol == protocolV1 {
		s.first, s.pong = `{"connect":{}}`, "{}"
	}
	return s, nil
}

// peer is the centrifuge program in a directory.
func peer(dir string, c config) (side, error) {
	program := filepath.Join(dir, "peer-centrifuge")
	if _, err := os.Stat(program); err != nil {
		return side{}, fmt.Errorf("find the peer: %w", err)
	}
	return side{
		name: "centrifuge", program: program, path: "/ws",
		serve: []string{"-history", strconv.Itoa(c.history)},
		first: `{"id":1,"connect":{}}`, pong: "{}",
	}, nil
}

// serving is the command line of its server.
func (s side) serving(addr, redis string) []string {
	return append([]string{s.program, "serve", "-addr", addr, "-redis", redis}, s.serve...)
}

// publishing is the command line of its publisher.
func (s side) publishing(redis string, c config, b burst) []string {
	n := b.messages
	if !s.audiences {
		n = b.deliveries
	}
	command := []string{s.program, "publish", "-redis", redis, "-users", strconv.Itoa(c.users),
		"-n", strconv.Itoa(n), "-rate", strconv.Itoa(b.rate), "-history", strconv.Itoa(c.history)}
	if s.audiences {
		command = append(command, "-to", b.to)
	}
	return command
}

// loading is the command line of the load generator, without what it is to wait
// for.
func (s side) loading(generator []string, addr string, conns int) []string {
	command := append(append([]string{}, generator...),
		"-url", "ws://"+addr+s.path+"?user=%d", "-conns", strconv.Itoa(conns))
	for _, f := range [][2]string{{"-protocol", s.protocol}, {"-first", s.first}, {"-pong", s.pong}} {
		if f[1] != "" {
			command = append(command, f[0], f[1])
		}
	}
	return command
}
