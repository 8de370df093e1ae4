package socket

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// User is who a connection belongs to, as OnConnect or Authenticate decided.
type User struct {
	// ID names the user. Sends, presence and jobs go by it, so it must be the
	// same on every device of the user. It must be valid UTF-8, of 1 to MaxUserID
	// bytes.
	ID string
	// Data is the application's own: handlers of this connection find it in
	// Message.User. It stays in this process and does not travel with jobs.
	Data any
}

// Anonymous is what OnConnect or Authenticate returns to accept a connection
// that has no user. Such a connection can send messages and be answered, but it
// is no part of presence and no Send to a user reaches it.
var Anonymous = &User{}

// ErrEmptyUserID is what a call returns when it was given a user without an id.
var ErrEmptyUserID = errors.New("socket: user id is empty")

// MaxUserID is how many bytes the id of a user may have.
const MaxUserID = 1024

func checkUserID(id string) error {
	if len(id) > MaxUserID {
		return fmt.Errorf("%w: %d bytes, want at most %d: %.40q…", ErrUserID, len(id), MaxUserID, id)
	}
	return nil
}

// check tells an authenticated user from a mistake.
func (u *User) check() error {
	switch {
	case u == Anonymous:
		return nil
	case u.ID == "":
		return fmt.Errorf("authenticate: %w; return socket.Anonymous to accept a connection without a user", ErrEmptyUserID)
	case !utf8.ValidString(u.ID):
		return fmt.Errorf("authenticate: user id %q is not valid UTF-8", u.ID)
	}
	return checkUserID(u.ID)
}
