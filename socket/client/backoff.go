package client

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long a Client waits between attempts to connect. The wait after
// the n-th failure in a row is a random part of First times 2ⁿ⁻¹, at most of
// Max.
type Backoff struct {
	First time.Duration // 0 means DefaultBackoffFirst
	Max   time.Duration // 0 means DefaultBackoffMax
}

// jitter returns the wait after so many failures that came before the last.
func (b Backoff) jitter(before int) time.Duration {
	ceiling := positive(b.Max, DefaultBackoffMax)
	step := min(positive(b.First, DefaultBackoffFirst), ceiling)
	for ; before > 0 && step < ceiling; before-- {
		if step > ceiling/2 { // doubling might overflow
			step = ceiling
		} else {
			step *= 2
		}
	}
	return rand.N(step)
}

// settled is how long a connection lasts that makes the failures before it
// forgotten. One that ends sooner counts as another failure, or a server that
// accepts and then closes would be asked in a hurry for ever.
const settled = 5 * time.Second

// farthest bounds what a server may advise.
const farthest = time.Hour

// pace counts the attempts in a row that came to nothing lasting.
type pace struct {
	failures int
	recalls  int // those of them after which the server wanted the client back soon
}

// after returns how long to wait after an attempt that ended like this. Who is
// wanted back soon need not be patient because others were away before, but grows
// patient with a server that says it again and again.
func (p *pace) after(e ending, b Backoff) time.Duration {
	if e.lasted >= settled {
		*p = pace{}
	}
	before := p.failures
	p.failures++
	if e.atOnce {
		before = p.recalls
		p.recalls++
	}
	return min(e.least, farthest) + b.jitter(before)
}
