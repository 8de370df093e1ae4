package client

import "slices"

// outgoing is a frame that waits to be sent, or a request whose reply is awaited.
type outgoing struct {
	opcode  int
	data    []byte
	size    int  // what it takes of MaxBuffered
	writing bool // a writer has it
	sent    bool // written; only requests are kept for longer
	ack     bool // an acknowledgement

	// Of requests:
	id     uint64
	answer chan answer // has room for one
	gone   bool        // nobody waits for it any more
}

// answer is how a request ended.
type answer struct {
	message Message
	err     error
}

// outbox holds in order what waits to be sent.
type outbox struct {
	waiting []*outgoing
	bytes   int
}

// overhead is what a waiting frame counts besides its bytes.
const overhead = 64

// fits tells whether there is room for a frame. One of any size always has it.
func (o *outbox) fits(f *outgoing, limit int) bool {
	return o.bytes == 0 || o.bytes+f.size <= limit
}

func (o *outbox) push(f *outgoing) {
	o.waiting = append(o.waiting, f)
	o.bytes += f.size
}

// pushAck puts an acknowledgement before everything but others: it has to come in
// time, and what waits may take long at the server's rate.
func (o *outbox) pushAck(f *outgoing) {
	i := slices.IndexFunc(o.waiting, func(other *outgoing) bool { return !other.ack && !other.writing })
	if i < 0 {
		i = len(o.waiting)
	}
	o.waiting = slices.Insert(o.waiting, i, f)
	o.bytes += f.size
}

func (o *outbox) pop() {
	f := o.waiting[0]
	o.waiting[0] = nil // or the slice would keep it
	o.waiting = o.waiting[1:]
	if len(o.waiting) == 0 {
		o.waiting = nil
	}
	o.bytes -= f.size
}

// remove takes out the frames that match, and returns them.
func (o *outbox) remove(match func(*outgoing) bool) (removed []*outgoing) {
	o.waiting = slices.DeleteFunc(o.waiting, func(f *outgoing) bool {
		if !match(f) {
			return false
		}
		o.bytes -= f.size
		removed = append(removed, f)
		return true
	})
	return removed
}
