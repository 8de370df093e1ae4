package socket

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

const century = 100 * 365 * 24 * time.Hour

func TestRetainIsKeptOrRefused(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx, k, ch := outside(rdb), newKeyspace(""), userChannel("ada")
		sendText(t, ctx, To("ada"), "before")
		for _, opt := range []SendOption{
			Retain(1, century+1), Retain(1, math.MaxInt64), Retain(1, math.MinInt64), Retain(100_001, time.Minute), Retain(math.MaxInt, time.Minute),
			Retain(-1, time.Minute), Latest(strings.Repeat("k", 257)),
		} {
			if err := To("ada").Send(ctx, "x", opt); !errors.Is(err, ErrOption) {
				t.Errorf("%v, want ErrOption", err)
			}
		}
		for what, sender := range map[string]*Sender{
			"RetainFor":      {RetainFor: time.Millisecond - 1},
			"RetainFor ":     {RetainFor: math.MaxInt64},
			"RetainMessages": {RetainMessages: 100_001},
		} {
			sender.redis = rdb
			if err := To("ada").Send(sender.Context(t.Context()), "x"); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "Sender."+strings.TrimSpace(what)) {
				t.Errorf("%s: %v, want ErrOption", what, err)
			}
		}
		if n := rdb.LLen(ctx, k.log(ch)).Val(); n != 1 {
			t.Errorf("the log has %d messages, want the one of before", n)
		}
		sendText(t, ctx, To("ada"), "for a century", Retain(100_000, century))
		sendText(t, ctx, To("ada"), "for a century", Retain(100_000, century), Latest(strings.Repeat("k", 256)))
		if n, left := rdb.LLen(ctx, k.log(ch)).Val(), rdb.PTTL(ctx, k.log(ch)).Val(); n != 2 || left < century-time.Minute {
			t.Errorf("the log has %d messages, for %v", n, left)
		}
		if left := rdb.PTTL(ctx, k.latest(ch)).Val(); left < century-time.Minute {
			t.Errorf("Latest is kept for %v", left)
		}
	})
}

func TestWhatIsTooLongIsRefused(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx, long := outside(rdb), strings.Repeat("u", MaxUserID+1)
		for what, err := range map[string]error{
			"To":      To("ada", long).Send(ctx, "x"),
			"Send":    Send(jobs.WithUserID(ctx, long), "x"),
			"connect": (&User{ID: long}).check(),
		} {
			if !errors.Is(err, ErrUserID) || len(err.Error()) > 300 {
				t.Errorf("%s: %v, want ErrUserID", what, err)
			}
		}
		for _, v := range []any{make([]byte, MaxSent+1), strings.Repeat("x", MaxSent+1), []string{strings.Repeat("x", MaxSent)}} {
			if err := To("ada").Send(ctx, v); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%T: %v, want ErrTooLarge", v, err)
			}
		}
		sendText(t, ctx, To(long[1:]), strings.Repeat("x", MaxSent))
	})
}

func TestFieldsOfAServerThatCannotBeMeantAreRefused(t *testing.T) {
	rdb := redistest.Embedded(t)
	for field, s := range map[string]*Server{
		"PingInterval": {PingInterval: math.MaxInt64}, "PongTimeout": {PongTimeout: math.MaxInt64}, "WriteTimeout": {WriteTimeout: math.MaxInt64},
		"AuthTimeout": {AuthTimeout: math.MaxInt64}, "OfflineAfter": {OfflineAfter: math.MaxInt64}, "ShutdownDelay": {ShutdownDelay: math.MaxInt64},
		"CloseSpread": {CloseSpread: math.MaxInt64}, "Drain": {Drain: math.MaxInt64}, "Lease": {Lease: math.MaxInt64}, "Lease ": {Lease: time.Nanosecond},
		"MaxMessage": {MaxMessage: math.MaxInt64}, "MaxRate": {MaxRate: 1e18}, "MaxBurst": {MaxRate: 1, MaxBurst: math.MaxInt},
	} {
		s.Redis = rdb
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Server."+strings.TrimSpace(field)+" is ") {
			t.Errorf("%s: %v, want an error that names it", field, err)
		}
	}
}

func TestACloseReasonFits(t *testing.T) {
	for _, reason := range []string{"", "short", strings.Repeat("é", 200), "\xff" + strings.Repeat("x", 122), strings.Repeat("x", 122) + "é"} {
		f := closeFrame(CloseNormal, reason)
		code, err := closeCode(f.data)
		if code != CloseNormal || err != nil || len(f.data) > maxControl {
			t.Errorf("%s: %d bytes, code %d, %v", fmt.Sprintf("%.10q", reason), len(f.data), code, err)
		}
	}
}
