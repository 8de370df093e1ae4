package socket

import (
	"container/list"
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// DefaultOfflineAfter is how long a user whose last connection broke counts as
// online.
const DefaultOfflineAfter = 3 * time.Second

// grace holds the users who have no connection left and may be back in a moment,
// in the order in which that moment is over: it is equally long for all. They
// stay registered, so nobody is told that they went.
type grace struct {
	period time.Duration // 0: nobody waits

	mu     sync.Mutex
	queue  list.List // of waiting
	places map[*subscription]*list.Element
}

type waiting struct {
	sub   *subscription
	until time.Time
}

func newGrace(period time.Duration) *grace {
	return &grace{period: period, places: map[*subscription]*list.Element{}}
}

// add has the user wait from now on.
func (g *grace) add(s *subscription) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(s)
	g.places[s] = g.queue.PushBack(waiting{s, time.Now().Add(g.period)})
}

// remove ends the user's wait, if there is one.
func (g *grace) remove(s *subscription) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(s)
}

func (g *grace) drop(s *subscription) {
	if e := g.places[s]; e != nil {
		g.queue.Remove(e)
		delete(g.places, s)
	}
}

func (g *grace) has(s *subscription) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.places[s] != nil
}

func (g *grace) empty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.Len() == 0
}

// over takes out the users whose wait is over, and tells how long it is until
// there can be more of them.
func (g *grace) over(now time.Time) (users []string, next time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		e := g.queue.Front()
		if e == nil {
			return users, g.period
		}
		w := e.Value.(waiting)
		if wait := w.until.Sub(now); wait > 0 {
			return users, wait
		}
		g.drop(w.sub)
		users = append(users, w.sub.user)
	}
}

// clear ends every wait.
func (g *grace) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue.Init()
	clear(g.places)
}

// closedWith notes the code with which either side closes the connection; the
// first one counts. A client that says goodbye, and one whom the application
// dismisses, is not expected back. A browser's close() sends no code. The caller
// holds mu.
func (c *connection) closedWith(code int) {
	if !c.closing {
		c.goodbye = code == CloseNormal || code == websocket.CloseNoStatusReceived
	}
}

// brokenOff notes the error with which reading ended: a close frame is one too.
func (c *connection) brokenOff(err error) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closedWith(closed.Code)
	}
}

// saidGoodbye tells whether nobody should wait for the client to come back.
func (c *connection) saidGoodbye() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goodbye
}
