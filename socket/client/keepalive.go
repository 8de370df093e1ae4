package client

import "time"

// A client answers the server's heartbeats. It has to say more than that in two
// cases: a handler runs for so long that heartbeats wait unread, and the server
// sends so many messages that it needs no heartbeats. Both begin with a frame
// from the server. So that frame arms a timer, unless it is armed already: an
// idle client has none, and a busy one arms one in each heartbeat.

// keepAlive makes sure that the client says something in time. The caller holds
// the mutex.
func (c *Client) keepAlive(l *link) {
	if l.timer != nil || l.ended || l.heartbeat <= 0 {
		return
	}
	l.work.Add(1)
	wait := l.heartbeat - time.Since(l.spoke)
	l.timer = time.AfterFunc(wait, func() { c.beat(l) })
}

// beat is what the timer does.
func (c *Client) beat(l *link) {
	defer l.work.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	l.timer = nil
	if time.Since(l.spoke) >= l.heartbeat {
		c.answer(l)
	}
	if l.handling {
		c.keepAlive(l)
	}
}

// answer says that the client is there. The caller holds the mutex.
func (c *Client) answer(l *link) {
	l.beatDue = true
	l.spoke = time.Now() // as good as done, if the connection is any good
	c.kick(l)
}
