package socket

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/redis/go-redis/v9"
)

// Refuses tells whether an error of Authenticate or OnConnect is a verdict about the
// client, and not one that its handler could not decide, as when a database is away.
// Handlers.Authenticate describes which. Package web goes by it as well.
func Refuses(err error) bool { return refuses(err) }

// refuses tells whether an error of Authenticate or OnConnect is a verdict about the
// client, who would get the same one again. It is none when the handler did not get
// so far as to decide, which Handlers.Authenticate describes: who comes back later
// may be let in.
func refuses(err error) bool {
	var v *judged
	var rejection *Rejection
	switch {
	case errors.As(err, &v):
		return !v.passes
	case errors.Is(err, ErrBadMessage): // which may wrap the end of a message that is cut off
		return true
	case errors.As(err, &rejection):
		return !passingStatus(rejection.Status)
	case errors.Is(err, ErrTimeout), errors.Is(err, errPanic),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	}
	return !fromNetwork(err) && !fromRedis(err)
}

// passingStatus tells whether an HTTP status says that the same request may succeed
// later.
func passingStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// fromNetwork tells whether something could not be reached, or went away meanwhile.
// Not every net.Error is one: that a file does not exist is one too.
func fromNetwork(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var late interface{ Timeout() bool }
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &late) && late.Timeout() ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn)
}

// fromRedis tells whether Redis could not answer. That it does not have a key, as that
// of a session, is an answer.
func fromRedis(err error) bool {
	var answered redis.Error
	return errors.As(err, &answered) && !errors.Is(err, redis.Nil) ||
		errors.Is(err, redis.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted)
}
