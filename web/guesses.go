package web

import (
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// How often somebody may give a wrong secret: some times at once, as who mistypes a
// password does, and then once in a while, which is 8,640 times a day.
const (
	guessesAtOnce = 10
	guessEvery    = 10 * time.Second
)

// guessAgain is guessEvery as a Retry-After header has it.
var guessAgain = strconv.Itoa(int(guessEvery / time.Second))

// maxGuessers is how many addresses are told apart; all others are then one. Each takes
// about 100 bytes.
const maxGuessers = 1024

// guesses counts the wrong secrets by the address that they are from, or by the
// network for IPv6, where everybody has many addresses. An address decides here about
// nothing but how long one waits.
type guesses struct {
	mu sync.Mutex
	// paid has until when the guesses of an address are paid for, each with guessEvery.
	paid map[netip.Prefix]time.Time
}

// take reports whether a secret from the address may be looked at, and counts it as a
// wrong one: many may be looked at at the same time.
func (g *guesses) take(remote string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	from := g.key(remote, now)
	paid := g.paid[from]
	if paid.Before(now) {
		paid = now
	}
	if paid.Sub(now) > (guessesAtOnce-1)*guessEvery {
		return false
	}
	g.paid[from] = paid.Add(guessEvery)
	return true
}

// giveBack takes back what take has counted, for a secret that was right.
func (g *guesses) giveBack(remote string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := g.key(remote, time.Now())
	g.paid[from] = g.paid[from].Add(-guessEvery)
}

// key returns what the guesses from an address are counted under. The caller holds mu.
func (g *guesses) key(remote string, now time.Time) netip.Prefix {
	from := networkOf(remote)
	if _, ok := g.paid[from]; ok {
		return from
	}
	if g.paid == nil {
		g.paid = map[netip.Prefix]time.Time{}
	}
	if len(g.paid) >= maxGuessers {
		for other, paid := range g.paid {
			if !paid.After(now) {
				delete(g.paid, other)
			}
		}
	}
	if len(g.paid) >= maxGuessers {
		return netip.Prefix{}
	}
	return from
}

// networkOf is an IPv4 address, the network of an IPv6 address that one customer has,
// or the zero Prefix for anything else.
func networkOf(remote string) netip.Prefix {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 64
	if ip := addr.Addr().Unmap(); ip.Is4() {
		bits = 32
	}
	network, err := addr.Addr().Unmap().WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
