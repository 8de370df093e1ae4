package redisstep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// startPatience is how long Redis may refuse for reasons that pass, while it
	// loads its data, say, until a start has failed.
	startPatience = 5 * time.Second
	startPause    = 200 * time.Millisecond
)

// A Probe tries something that not everybody needs. Its error says what Redis
// refused.
type Probe func(ctx context.Context, rdb redis.UniversalClient) error

type checkedKey struct{}

// Checked returns a context in which Check takes rdb as checked, but for the probes:
// the parts of one program need not each try the same, nor warn of it.
func Checked(ctx context.Context, rdb redis.UniversalClient) context.Context {
	return context.WithValue(ctx, checkedKey{}, rdb)
}

// Check tries at a start what is needed of Redis later: a version that has all
// commands, one Redis that has all keys and takes writes, scripts, the channels, and
// what the probes try. Its error says what Redis refuses, and what to do about that.
// What may pass is tried again for five seconds; a Redis that does not answer is an
// error at once.
//
// Two things are no error but a warning. A Redis whose memory is full: there is work
// in it that frees memory. And a user of Redis who may not use the channels: all is
// found by looking as well, only later.
func Check(ctx context.Context, rdb redis.UniversalClient, log *slog.Logger, probes ...Probe) error {
	if ctx.Value(checkedKey{}) != rdb {
		probes = append([]Probe{suits, Write, channels}, probes...)
	}
	var warnings []error
	for _, probe := range probes {
		err := patiently(ctx, rdb, probe)
		switch {
		case errors.Is(err, ErrFull), errors.Is(err, errDeaf), errors.Is(err, errHalfDeaf):
			warnings = append(warnings, err)
		case err != nil:
			return err
		}
	}
	for _, warning := range warnings {
		log.Warn("Redis refuses something that is needed", "error", warning)
	}
	return nil
}

// patiently tries until the answer is one that does not pass.
func patiently(ctx context.Context, rdb redis.UniversalClient, probe Probe) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var refused error
	for {
		err := probe(ctx, rdb)
		switch {
		case refused != nil && ctx.Err() != nil && err != nil:
			return refused // says more than that the time is over
		case !Passing(err) && !errors.Is(err, errReplica):
			return err
		}
		refused = err
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return refused
		}
	}
}

// writeScript is one step on two keys, as many here are. In a cluster they are in
// different slots.
var writeScript = redis.NewScript(`
for _, key in ipairs(KEYS) do redis.call('SET', key, '1', 'PX', ARGV[1]) end
return 1`)

// checkPrefix begins the keys of the probes.
const checkPrefix = "queuerun:check:"

const checkExpiry = time.Minute

// Write is a Probe of what everything needs: a script that writes. It is one command,
// and what it writes is gone after a minute.
func Write(ctx context.Context, rdb redis.UniversalClient) error {
	keys := []string{checkPrefix + "a", checkPrefix + "b"}
	if _, cluster := rdb.(*redis.ClusterClient); cluster {
		keys = keys[:1]
	}
	if err := writeScript.Run(ctx, rdb, keys, checkExpiry.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("try a script that writes: %w", refusal(err))
	}
	return nil
}

// BlockingRead is a Probe of a read that waits for what comes to a stream.
func BlockingRead(ctx context.Context, rdb redis.UniversalClient) error {
	err := rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{checkPrefix + "stream", "$"}, Block: time.Millisecond}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("try a read that waits: %w", refusal(err))
	}
	return nil
}

// The channels on which queuerun speaks: its own, all of which begin alike, and the
// one on which Asynq's tools cancel jobs.
const (
	checkChannel = "queuerun:wake:"
	asynqCancels = "asynq:cancel"
)

// What is lost for a user of Redis who may not use channels.
var (
	errDeaf = errors.New("workers are not told of jobs and of cancels, nor is who waits for a job: " +
		"they find out by looking, up to a second later, and never of a cancel in the dashboard; " +
		"let the user of Redis use channels, with ACL SETUSER <user> &queuerun:* &asynq:*")
	errHalfDeaf = errors.New("workers do not hear that a job is cancelled in the dashboard; " +
		"let the user of Redis use the channel, with ACL SETUSER <user> &asynq:*")
)

// channels is the Probe of what wakes others.
func channels(ctx context.Context, rdb redis.UniversalClient) error {
	lost := errDeaf
	err := rdb.Publish(ctx, checkChannel, "").Err()
	if err == nil {
		err = Listen(ctx, rdb, checkChannel)
	}
	if err == nil {
		lost, err = errHalfDeaf, Listen(ctx, rdb, asynqCancels)
	}
	switch {
	case redis.IsPermissionError(err):
		return fmt.Errorf("%w: %w", lost, err)
	case err != nil:
		return fmt.Errorf("try the channels: %w", refusal(err))
	}
	return nil
}

// Listen tries whether a channel may be listened to. Go-redis does not tell when
// Redis refuses that to a PubSub from which messages are taken by a Go channel: it
// waits for ever.
func Listen(ctx context.Context, rdb redis.UniversalClient, channel string) error {
	listener := rdb.Subscribe(ctx, channel)
	defer listener.Close()
	_, err := listener.ReceiveTimeout(ctx, startPatience)
	return err
}
