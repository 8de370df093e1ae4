package jobs

import (
	"errors"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
)

// failed is what this package keeps of a handler's error. An error is code of
// the program's, whose methods may panic, never say the same twice or say
// megabytes. So it is asked for everything once, when the handler has returned,
// and nothing after that touches it.
type failed struct {
	text      string        // at most maxError bytes
	final     bool          // it is Permanent
	again     bool          // it says when to try again,
	wait      time.Duration // in this time
	cancelled bool          // it is ErrCancelled, or wraps it
	unread    bool          // the error could not say what it is
}

func (f *failed) Error() string { return f.text }

// failureOf reads what a handler returned, and why its context was cancelled, if
// it was. It is nil when the handler succeeded.
func failureOf(err, cause error, timeout time.Duration) *failed {
	late := cause == ErrTimeout
	if err == nil && !late {
		return nil
	}
	f, text := &failed{}, "the handler returned later"
	if err != nil {
		text = f.read(err, cause)
	}
	if late {
		text = fmt.Sprintf("%v (%v): %s", ErrTimeout, timeout, text)
	}
	f.text = cut(text, maxError)
	return f
}

// read asks an error what it is and returns what it says.
func (f *failed) read(err, cause error) (text string) {
	text, ok := guard.Read(withoutMarks(err))
	if f.unread = !ok; f.unread {
		text = "the handler returned " + text
	}
	known := cause == nil || cause == ErrTimeout
	if asked := guard.Call(func() {
		again := retryError{}
		f.final = errors.As(err, new(finalError))
		f.again = errors.As(err, &again)
		f.wait = again.wait
		f.cancelled = errors.Is(err, ErrCancelled)
		known = known || errors.Is(err, cause)
	}); asked != nil {
		f.unread = true
		text = fmt.Sprintf("%s (a method of the error, asked what it is, %v)", text, asked)
	}
	if !known {
		text = guard.Text(cause) + ": " + text
	}
	return text
}

// withoutMarks is the error that Permanent or RetryIn was given: of the two, a
// reader wants to know the type of the program's.
func withoutMarks(err error) error {
	for {
		switch e := err.(type) {
		case finalError:
			err = e.err
		case retryError:
			err = e.err
		default:
			return err
		}
	}
}

// callError is a failure for whoever calls a handler by itself, who may want to
// know which errors it was.
type callError struct {
	*failed
	errs []error
}

func (e callError) Unwrap() []error { return e.errs }
