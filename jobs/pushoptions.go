package jobs

import (
	"errors"
	"fmt"
	"time"
)

// PushOption changes one push.
type PushOption func(*pushOptions)

type pushOptions struct {
	at     time.Time
	id     string
	idSet  bool
	retain time.Duration
	params map[string]string
	err    error
}

// In delays a job: it starts no earlier than d from now, and within about a
// second of that when a worker is idle. Zero and less mean at once.
func In(d time.Duration) PushOption {
	return func(o *pushOptions) { o.at = time.Now().Add(d) }
}

// At delays a job until t, as In does. A time in the past means at once.
func At(t time.Time) PushOption {
	return func(o *pushOptions) { o.at = t }
}

// ID names the job, 1 to 200 bytes of any text. While the queue has a job of
// that name, or keeps a finished one because of Retain, another push of it
// returns ErrDuplicate and changes nothing. Without ID the name is random.
func ID(id string) PushOption {
	return func(o *pushOptions) {
		o.id, o.idSet = id, true
		if id == "" || len(id) > 200 {
			o.fail(fmt.Errorf("ID(%q): an id has 1 to 200 bytes", id))
		}
	}
}

// Retain keeps the job for the given time after it succeeded, visible in the
// dashboard, and its id taken. It is rounded up to whole seconds. Without it a
// job that succeeded is forgotten at once.
func Retain(d time.Duration) PushOption {
	return func(o *pushOptions) {
		o.retain = ceilSecond(d)
		if d < 0 {
			o.fail(fmt.Errorf("Retain(%v): the time is negative", d))
		}
	}
}

// Param adds a value that the handler finds in Job.Params. A later one of the
// same key replaces it.
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

func (o *pushOptions) fail(err error) { o.err = errors.Join(o.err, err) }

func applyPushOptions(options []PushOption) pushOptions {
	var o pushOptions
	for _, option := range options {
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
