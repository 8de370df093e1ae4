package scheduler

import (
	"hash/fnv"
	"slices"
	"sort"
	"strconv"
	"time"
)

// onTime is how late a tick may be pushed without having been missed: Redis may
// have failed over, or the machine may be busy.
const onTime = 10 * time.Second

// due returns the ticks after a time that are to be pushed now, the oldest first,
// and when the next one is. dropped reports whether ticks were missed that the
// schedule's policy leaves out.
func (s Schedule) due(after, now time.Time) (due []time.Time, dropped bool) {
	newest := s.newest(now)
	if !newest.After(after) {
		return nil, false
	}
	switch late := now.Sub(s.start(newest)); {
	case s.catchUp > 0: // All
		for t := newest; t.After(after) && len(due) < int(s.catchUp); t = before(s.ticks, t) {
			due = append(due, t)
		}
		slices.Reverse(due)
	case s.catchUp == Latest, late <= onTime, s.catchUp == latestWithinInterval && late < s.interval:
		due = []time.Time{newest}
	default:
		return nil, true
	}
	return due, before(s.ticks, due[0]).After(after)
}

// newest returns the last tick whose run is to have begun by now; zero if there
// is none.
func (s Schedule) newest(now time.Time) time.Time {
	t := before(s.ticks, now.Add(time.Nanosecond))
	for !t.IsZero() && s.start(t).After(now) {
		t = before(s.ticks, t)
	}
	return t
}

// start is when the run of a tick is to begin. The delay ends before the next tick,
// also where the clocks change and a day is shorter, so the order stays.
func (s Schedule) start(tick time.Time) time.Time {
	if s.jitter == 0 {
		return tick
	}
	hash := fnv.New64a()
	hash.Write([]byte(s.name + ":" + strconv.FormatInt(tick.Unix(), 10)))
	most := s.jitter
	if next := s.ticks.next(tick); !next.IsZero() {
		most = min(most, next.Sub(tick))
	}
	return tick.Add(time.Duration(hash.Sum64()%uint64(most/time.Millisecond)) * time.Millisecond)
}

// before returns the last tick before t, or the zero time.
func before(of ticks, t time.Time) time.Time {
	if e, ok := of.(everyTicks); ok {
		next := e.next(t.Add(-time.Nanosecond))
		return next.Add(-time.Duration(e))
	}
	// next grows with its argument, so the last tick before t is the next one after
	// the latest time whose next tick is before t.
	end := t.Add(-time.Nanosecond).Unix() // in whole seconds: at or after the tick
	for back := int64(64); back < int64(4*maxInterval/time.Second); back *= 8 {
		if !isBefore(of.next(time.Unix(end-back, 0)), t) {
			continue
		}
		begin := end - back
		n := sort.Search(int(back), func(i int) bool { return !isBefore(of.next(time.Unix(begin+int64(i), 0)), t) })
		if tick := of.next(time.Unix(begin+int64(n)-1, 0)); isBefore(tick, t) {
			return tick
		}
		break // Ticks of a program's own, in no order.
	}
	return time.Time{}
}

func isBefore(tick, t time.Time) bool { return !tick.IsZero() && tick.Before(t) }
