package redistest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Clock is the clock of a Redis, which a test sets forward and back while Redis
// runs, as an administrator or a time server does. The clock of the test itself
// goes on as it was. Keys expire by the time of Redis: on a real one they live
// longer when its clock was set back; the embedded one knows how long they have left.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration // of the clock of the machine
	set   func(ahead time.Duration)
}

// Step sets the clock forward by d, or back if d is negative. When it returns
// Redis goes by the new time.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	c.set(c.ahead)
}

// EachWithClock is Each with Redises whose clock the body may set.
func EachWithClock(t *testing.T, body func(t *testing.T, rdb *redis.Client, clock *Clock)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		rdb, clock := EmbeddedWithClock(t)
		body(t, rdb, clock)
	})
	t.Run("real", func(t *testing.T) {
		server, clock := RealWithClock(t)
		body(t, server.Client(t), clock)
	})
}

// EmbeddedWithClock is Embedded with a clock that the test may set.
func EmbeddedWithClock(t testing.TB) (*redis.Client, *Clock) {
	t.Helper()
	mini := miniredis.NewMiniRedis()
	if err := mini.StartAddr("127.0.0.1:0"); err != nil {
		t.Fatalf("start the embedded Redis: %v", err)
	}
	t.Cleanup(mini.Close)
	mini.ClockTTL(true)
	clock := &Clock{}
	clock.set = func(ahead time.Duration) { mini.SetTime(time.Now().Add(ahead)) }
	goOn(t, clock)
	return Client(t, mini.Addr()), clock
}

// goOn keeps a clock going that stands still after it was set.
func goOn(t testing.TB, clock *Clock) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				clock.Step(0)
			case <-stop:
				return
			}
		}
	}()
}

//go:embed clock/shift.c
var shiftSource []byte

// RealWithClock is Real with a clock that the test may set: on Linux, with a C
// compiler named cc. Without these the test is skipped, or fails when
// REQUIRE_REAL=1 is set. (libfaketime would do the same, but hangs together with the
// allocator of redis-server.)
func RealWithClock(t testing.TB, options ...Option) (*Server, *Clock) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shift")
	file, err := os.Create(path)
	if err != nil {
		t.Fatalf("make a clock for redis-server: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	clock := &Clock{set: func(ahead time.Duration) {
		// The process has the file in its memory, and sees this at once.
		if _, err := file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(ahead)), 0); err != nil {
			t.Errorf("set the clock of redis-server: %v", err)
		}
	}}
	clock.Step(0)
	env := []string{"LD_PRELOAD=" + compileShift(t), "CLOCK_SHIFT=" + path}
	return Real(t, append(options, func(s *Server) { s.env = append(s.env, env...) })...), clock
}

// compileShift returns the path of the library that sets the clock of a process.
func compileShift(t testing.TB) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil || runtime.GOOS != "linux" {
		unavailable(t, "the clock of a redis-server can be set only on Linux and with cc on the PATH")
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "shift.c"), filepath.Join(dir, "shift.so")
	if err := os.WriteFile(source, shiftSource, 0o600); err != nil {
		t.Fatalf("compile the clock of redis-server: %v", err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-O2", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("compile the clock of redis-server: %v\n%s", err, out)
	}
	return library
}
