// Package guard calls what users hand in: methods and functions that may panic,
// or end the goroutine that calls them.
//
// It is no part of what programs may rely on. It is outside of internal because
// the other packages need it as well.
package guard

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrExited: what was called ended its goroutine, with runtime.Goexit, instead
// of returning. A test's FailNow does so.
var ErrExited = errors.New("ended its goroutine instead of returning")

// Panic is the error that Call returns of a panic.
type Panic struct {
	// Text is the panic's value, read by Text.
	Text string
	// Stack is that of the goroutine that panicked.
	Stack string
}

func (p *Panic) Error() string { return "panicked: " + p.Text }

// Call calls f in a goroutine of its own, so that not even runtime.Goexit
// reaches the caller, and returns when it has ended: nil, a *Panic or ErrExited.
func Call(f func()) error { return call(f, 0) }

// Recover calls f and makes a *Panic of a panic. It is Call for the goroutine of
// whoever handed f in, which f may end.
func Recover(f func()) error { return recovered(f, 0) }

// Text is what fmt.Sprint says of a value, such as an error or that of a panic,
// or what went wrong while it was asked.
func Text(v any) string {
	said, _ := text(v, 0)
	return said
}

// Read is Text, and tells whether the value could be read.
func Read(v any) (said string, ok bool) { return text(v, 0) }

func call(f func(), depth int) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = ErrExited
		err = recovered(f, depth)
	}()
	<-done
	return err
}

func recovered(f func(), depth int) (err error) {
	defer func() {
		if x := recover(); x != nil {
			said, _ := text(x, depth)
			err = &Panic{said, string(debug.Stack())}
		}
	}()
	f()
	return nil
}

// deepest bounds how often a value is asked that was the panic of another's
// method: a method may panic with its own value.
const deepest = 3

func text(v any, depth int) (said string, ok bool) {
	method, say := "", func() string { return fmt.Sprint(v) }
	switch v := v.(type) {
	case string:
		return v, true
	case error:
		method, say = "Error ", v.Error
	case fmt.Stringer:
		method, say = "String ", v.String
	}
	if depth == deepest {
		return fmt.Sprintf("a %T", v), false
	}
	if err := call(func() { said = say() }, depth+1); err != nil {
		return fmt.Sprintf("a %T, whose %smethod %v", v, method, err), false
	}
	return said, true
}
