package jobs

import (
	"errors"
	"fmt"
	"time"
)

// PushOption changes one push.
type PushOption func(*pushOptions)

type pushOptions struct {
	timed  bool          // In or At was given
	when   string        // "in" or "at" when the job is delayed
	in     time.Duration // for "in"
	at     time.Time     // for "at"
	unique time.Duration
	notify bool
	id     string
	idSet  bool
	retain time.Duration
	params map[string]string
	serial string
	line   string // of Ascending
	number int64
	err    error
}

// In delays a job: it starts no earlier than d from now, and within 250 ms of
// that when a worker is idle. The time is kept in milliseconds, by the clock of
// Redis. Zero and less mean at once, and more than 36,500 days are refused.
func In(d time.Duration) PushOption {
	return func(o *pushOptions) {
		o.fail(checkAhead("In", d))
		if o.when, o.timed = "", true; d > 0 {
			o.when, o.in = "in", d
		}
	}
}

// At delays a job until t, as In does. A time in the past means at once, and one
// more than 36,500 days from now is refused.
func At(t time.Time) PushOption {
	return func(o *pushOptions) {
		now := time.Now()
		// Times of very large years compare wrongly; their seconds do not.
		switch o.when, o.timed = "", true; {
		case t.Unix() > now.Add(farthest).Unix():
			o.fail(fmt.Errorf("At(%v): it is more than 36,500 days from now", t))
		case t.After(now):
			o.when, o.at = "at", t
		}
	}
}

// Unique makes another push of the same payload to the queue, within d, one
// that is ignored: it returns the id of the first job, also after that has
// ended. d is from a millisecond to 36,500 days, rounded up to whole
// milliseconds. In a FIFO queue, where that is so for 5 minutes without being
// asked for, it says for how long.
func Unique(d time.Duration) PushOption {
	return func(o *pushOptions) {
		o.unique = d
		o.fail(checkAhead("Unique", d))
		if d < time.Millisecond {
			o.fail(fmt.Errorf("Unique(%v): the time is less than a millisecond", d))
		}
	}
}

// ID names the job, 1 to 200 bytes of any text. While the queue has a job of
// that name, or keeps a finished one because of Retain, another push of it
// returns ErrDuplicate and changes nothing. Without ID the name is random.
//
// In the dashboard and its addresses letters, digits, - . _ : and single spaces between
// words are shown as they are, any other byte, and a dot in front, as ~ and two
// hexadecimal digits: "order#1" is order~231 there.
func ID(id string) PushOption {
	return func(o *pushOptions) {
		o.id, o.idSet = id, true
		if id == "" || len(id) > 200 {
			o.fail(fmt.Errorf("ID(%q): an id has 1 to 200 bytes", id))
		}
	}
}

// Retain keeps the job for the given time after it succeeded, visible in the
// dashboard, and its id taken. It is rounded up to whole seconds, and at most
// 36,500 days. Without it a job that succeeded is forgotten at once.
func Retain(d time.Duration) PushOption {
	return func(o *pushOptions) {
		if d < 0 {
			o.fail(fmt.Errorf("Retain(%v): the time is negative", d))
		}
		if err := checkAhead("Retain", d); err != nil {
			o.fail(err)
			return
		}
		o.retain = ceilSecond(d)
	}
}

// Param adds a value that the handler finds in Job.Params. A later one of the
// same key replaces it. All keys and values of a job together have at most 64 KiB.
func Param(key, value string) PushOption {
	return func(o *pushOptions) {
		if key == "" {
			o.fail(errors.New(`Param(""): the key is empty`))
		}
		if o.params == nil {
			o.params = map[string]string{}
		}
		o.params[key] = value
	}
}

// Serial makes the jobs of a standard queue that have the same key run one at a
// time in push order, as those of a FIFO group do, side by side with all others:
// one that fails holds those after it back until it succeeds or is given up. The
// key, 1 byte to 1 KiB, is Job.Group. Nothing is deduplicated. It does not go
// with In and At, nor with a FIFO queue, which has groups.
func Serial(key string) PushOption {
	return func(o *pushOptions) {
		if o.serial = key; key == "" {
			o.fail(errors.New(`Serial(""): the key is empty`))
		}
	}
}

// Ascending numbers a job in a line of its queue, a name of 1 byte to 1 KiB; the
// number is from -(2^53-1) to 2^53-1. A push whose number is not larger than that of the last one in the line changes
// nothing and returns ErrDuplicate, also when that job is long forgotten: so
// several processes, one of them stalled for any time, can push the same sequence
// of events, and each is pushed once. Client.Lines tells how far a line has come.
func Ascending(line string, number int64) PushOption {
	return func(o *pushOptions) {
		if o.line, o.number = line, number; line == "" {
			o.fail(errors.New(`Ascending(""): the line's name is empty`))
		}
		if number < -maxNumber || number > maxNumber {
			o.fail(fmt.Errorf("Ascending(%q, %d): the number has more than 53 bits", line, number))
		}
	}
}

// maxNumber is the largest that Redis' scripts can compare.
const maxNumber = 1<<53 - 1

// place says where the options put a job.
func (o pushOptions) place(to target) place {
	ms := ceilMillis(o.in) // Never early.
	if o.when == "at" {
		ms = ceilMilli(o.at)
	}
	return place{to.group, o.when, ms, ceilMillis(o.window(to)), o.line, o.number}
}

func (o *pushOptions) fail(err error) { o.err = errors.Join(o.err, err) }

func applyPushOptions(options []PushOption) pushOptions {
	var o pushOptions
	for i, option := range options {
		if option == nil {
			o.fail(fmt.Errorf("option %d is nil", i+1))
			continue
		}
		option(&o)
	}
	return o
}

func ceilSecond(d time.Duration) time.Duration {
	if rest := d % time.Second; rest > 0 {
		d += time.Second - rest
	}
	return d
}
