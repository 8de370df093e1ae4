package socket

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// IsOnline tells whether a user has an authenticated connection on any server.
// It agrees with OnOnline and OnOffline: it changes at the moment when the
// transition is recorded that makes one of them run.
func IsOnline(ctx context.Context, userID string) (bool, error) {
	if userID == "" {
		return false, ErrEmptyUserID
	}
	s, err := senderFrom(ctx)
	if err != nil {
		return false, err
	}
	online, err := s.redis.HGet(ctx, s.keys().presence(userID), "online").Result()
	if err != nil && err != redis.Nil {
		return false, fmt.Errorf("socket: is user %q online: %w", userID, err)
	}
	return online == "1", nil
}
