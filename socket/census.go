package socket

import (
	"fmt"
	"hash/fnv"
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
// adding has begun and whose removal is not over. When these are equally many, and
// no number changes while Redis is asked, the sum of their checksums is known too:
// Redis may have forgotten as many who came as who left.
type census struct {
	adding, added, removing, removed atomic.Int64
	sum                              atomic.Int64
	read                             atomic.Pointer[string] // id of the newest inbox entry that was read
}

// entered notes that a user was added.
func (c *census) entered(user string) {
	c.sum.Add(checksum(user)) // before the count: as long as it differs, nobody looks at the sum
	c.added.Add(1)
}

// leaving notes that a user who was added is about to be removed.
func (c *census) leaving(user string) {
	c.removing.Add(1)
	c.sum.Add(-checksum(user))
}

// checksum is a number of 32 bits, so that a sum has room for two billion users.
func checksum(user string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(user)) // never fails
	return int64(h.Sum32())
}

// reached notes how far the inbox has been read.
func (c *census) reached(id string) { c.read.Store(&id) }

// counted is a census at one moment, more or less.
type counted struct {
	adding, added, removing, removed, sum int64
	read                                  string
}

func (c *census) count() counted {
	n := counted{
		adding: c.adding.Load(), added: c.added.Load(), removing: c.removing.Load(), removed: c.removed.Load(),
		sum: c.sum.Load(), read: "0-0",
	}
	if id := c.read.Load(); id != nil {
		n.read = *id
	}
	return n
}

// found is what Redis has: the size of the server's set, the sum of the checksums
// in it, and the id of the newest entry of its inbox.
type found struct {
	users, sum int64
	newest     string
}

// compare returns an error that wraps errWentBack when what Redis has cannot be
// what it was told. It was asked after before was counted.
func (c *census) compare(before counted, has found) error {
	now := c.count()
	least, most := before.added-now.removing, now.adding-before.removed
	if has.users < least || has.users > most {
		return fmt.Errorf("%w: the server's set has %d users, not %d to %d", errWentBack, has.users, least, most)
	}
	if now.read = before.read; now == before && least == most && has.sum != now.sum {
		return fmt.Errorf("%w: the server's set has %d users, and not all of them are its", errWentBack, has.users)
	}
	if idBefore(has.newest, before.read) {
		return fmt.Errorf("%w: the inbox ends at %s and was read up to %s", errWentBack, has.newest, before.read)
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
