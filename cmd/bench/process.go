package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one that this command started.
type process struct {
	name  string
	cmd   *exec.Cmd
	out   output
	ended chan struct{} // closed when it has ended and all it wrote is in out
	err   error         // why it ended; to be read after ended
}

// killAfter is how long a process that was told to end may take.
const killAfter = 10 * time.Second

// start starts a program. It is told to end when ctx is done.
func start(ctx context.Context, name string, command ...string) (*process, error) {
	p := &process{name: name, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = killAfter
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop tells the process to end and waits until it has.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
	select {
	case <-p.ended:
	case <-time.After(killAfter):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// finish waits until the process ends by itself, and returns an error with what
// it wrote when that was not well.
func (p *process) finish() error {
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.out.tail())
	}
	return nil
}

// until waits for a condition, for so long and while the process is alive. what
// completes the sentence "waiting for".
func (p *process) until(ctx context.Context, timeout time.Duration, what string, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("the %s ended while this was waiting for %s: %w\n%s", p.name, what, p.err, p.out.tail())
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w\n%s", what, ctx.Err(), p.out.tail())
		}
	}
	return nil
}

// output is what a process wrote.
type output struct {
	mu   sync.Mutex
	data []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, b...)
	return len(b), nil
}

// line returns the first whole line that begins so, or "".
func (o *output) line(prefix string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(o.data) {
		if bytes.HasPrefix(line, []byte(prefix)) && bytes.HasSuffix(line, []byte("\n")) {
			return strings.TrimSpace(string(line))
		}
	}
	return ""
}

// tail returns the last of it, for an error.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.data[max(0, len(o.data)-4<<10):]))
}
