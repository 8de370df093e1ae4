package socket

import "context"

// Close closes the current connection with CloseNormal, after what was sent to
// it before. Where there is no current connection, in a job or an HTTP request,
// it closes every connection of the current user, after what was sent to the
// user before. Where there is neither, it returns ErrNobody.
func Close(ctx context.Context) error {
	f := closeFrame(CloseNormal, "closed by the application")
	if c := connectionFrom(ctx); c != nil {
		c.finish(f)
		return nil
	}
	return toCurrent(ctx, f, sendOptions{})
}
