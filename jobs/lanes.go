package jobs

import (
	"crypto/rand"
	"strconv"
	"sync"
)

// lanes numbers the pushes that a client has under way at the same time. Redis
// remembers the last push of each lane, which is enough to recognise a command
// that is repeated because its reply was lost, even when the job is long done;
// and there are only as many lanes as there were concurrent pushes.
type lanes struct {
	client string // tells the clients apart
	mu     sync.Mutex
	free   []int
	made   int
}

func (l *lanes) start() { l.client = rand.Text() }

func (l *lanes) take() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		lane := l.free[n-1]
		l.free = l.free[:n-1]
		return lane
	}
	l.made++
	return l.made
}

func (l *lanes) give(lane int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, lane)
}

// key is where Redis remembers the last push of the lane to a queue.
func (l *lanes) key(asynqQueue string, lane int) string {
	return keyPrefix(asynqQueue) + "push:" + l.client + ":" + strconv.Itoa(lane)
}
