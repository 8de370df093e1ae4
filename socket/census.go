package socket

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// census is what a server knows to be in Redis under one of its incarnations.
// When Redis has less, it went back to an older state, and forgot who is
// registered and what was sent.
//
// The numbers only grow. At any moment the server's set has at least the users
// whose adding is over and whose removal has not begun, and at most those whose
// adding has begun and whose removal is not over.
type census struct {
	adding, added, removing, removed atomic.Int64
	read                             atomic.Pointer[string] // id of the newest inbox entry that was read
}

// reached notes how far the inbox has been read.
func (c *census) reached(id string) { c.read.Store(&id) }

// counted is a part of a census, taken before Redis is asked.
type counted struct {
	added, removed int64
	read           string
}

func (c *census) count() counted {
	n := counted{added: c.added.Load(), removed: c.removed.Load(), read: "0-0"}
	if id := c.read.Load(); id != nil {
		n.read = *id
	}
	return n
}

// compare returns an error that wraps errWentBack when what Redis has cannot be
// what it was told: the size of the server's set and the id of the newest entry
// of its inbox, both asked for after before was counted.
func (c *census) compare(before counted, users int64, newest string) error {
	least, most := before.added-c.removing.Load(), c.adding.Load()-before.removed
	if users < least || users > most {
		return fmt.Errorf("%w: the server's set has %d users, not %d to %d", errWentBack, users, least, most)
	}
	if idBefore(newest, before.read) {
		return fmt.Errorf("%w: the inbox ends at %s and was read up to %s", errWentBack, newest, before.read)
	}
	return nil
}

// idBefore tells whether an id of a stream is smaller than another one.
func idBefore(a, b string) bool {
	aTime, aCount := splitID(a)
	bTime, bCount := splitID(b)
	return aTime < bTime || aTime == bTime && aCount < bCount
}

// splitID reads "<milliseconds>-<count>", as Redis writes it.
func splitID(id string) (ms, count uint64) {
	left, right, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(left, 10, 64)
	count, _ = strconv.ParseUint(right, 10, 64)
	return ms, count
}
