package socket

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// point is how far something is in a channel: the sequences of the newest message
// that it has and of the newest one of these that is in the log.
type point struct {
	seq, logged uint64
}

// page is a part of what a channel has after a point.
type page struct {
	messages []delivery
	to       point // where one is who has them
	more     bool  // there is another page
	complete bool  // nothing is missing between the point and to
}

// replayPage is how many messages of a log are read at once.
const replayPage = 500

// replayPatience is how long a gap waits for a Redis that does not answer.
const replayPatience = 5 * time.Second

// replay reads what a channel has after a point, which should go at least as far
// as upTo. The page begins at the oldest message that is left when the channel
// does not reach back to the point.
func (h *hub) replay(ctx context.Context, ch channel, from point, upTo uint64) (page, error) {
	deadline := time.Now().Add(replayPatience)
	for {
		p, err := h.readPage(ctx, ch, from, upTo)
		if err == nil || ctx.Err() != nil || answered(err) && !passing(err) || time.Now().After(deadline) {
			return p, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (h *hub) readPage(ctx context.Context, ch channel, from point, upTo uint64) (page, error) {
	pipe := h.leases.redis.TxPipeline()
	state := pipe.Get(ctx, h.keys.state(ch))
	log := pipe.XRangeN(ctx, h.keys.log(ch), "("+strconv.FormatUint(from.logged, 10)+"-0", "+", replayPage)
	latest := pipe.HGetAll(ctx, h.keys.latest(ch))
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return page{}, fmt.Errorf("read the log of %s: %w", ch, err)
	}
	newest, err := parseState(state.Val())
	if err != nil {
		return page{}, fmt.Errorf("log of %s: %w", ch, err)
	}
	p := page{complete: from.seq <= newest.seq && upTo <= newest.seq, to: newest.point}
	chain := from.logged
	for _, m := range log.Val() {
		d, err := parseLogged(ch, m)
		if err != nil {
			return page{}, fmt.Errorf("log of %s, entry %s: %w", ch, m.ID, err)
		}
		p.complete = p.complete && d.at.logged == chain
		chain = d.at.seq
		if d.at.seq > from.seq { // a point need not know how far in the log it is
			p.messages = append(p.messages, d)
		}
	}
	if p.more = len(log.Val()) == replayPage; p.more {
		p.to = point{max(from.seq, chain), chain}
	} else {
		p.complete = p.complete && chain == newest.logged
	}
	return p, p.merge(ch, latest.Val(), from, newest.latest)
}

// merge adds the values of Latest that belong on the page.
func (p *page) merge(ch channel, values map[string]string, from point, newest uint64) error {
	if newest > from.seq && len(values) == 0 {
		p.complete = false // they have expired
	}
	for key, value := range values {
		if key == "" {
			dropped, err := parseSequence(value)
			if err != nil {
				return fmt.Errorf("latest of %s: %w", ch, err)
			}
			p.complete = p.complete && dropped <= from.seq
			continue
		}
		d, err := parseLatest(ch, value)
		if err != nil {
			return fmt.Errorf("latest of %s, key %q: %w", ch, key, err)
		}
		if d.at.seq > from.seq && d.at.seq <= p.to.seq {
			p.messages = append(p.messages, d)
		}
	}
	slices.SortFunc(p.messages, func(a, b delivery) int { return cmp.Compare(a.at.seq, b.at.seq) })
	return nil
}

// state is how far a channel is.
type state struct {
	point
	latest uint64 // sequence of the newest message of Latest
}

// The places of the numbers in a channel's state, see append.lua.
const (
	stateSeq    = len(formatVersion)
	stateLogged = stateSeq + sequenceDigits
	stateLatest = stateLogged + sequenceDigits
	stateTill   = stateLatest + sequenceDigits
	stateEnd    = stateTill + sequenceDigits
)

// parseState reads what append.lua writes, or its first stateEnd bytes. A channel
// that nothing was sent to has none.
func parseState(text string) (s state, err error) {
	if text == "" {
		return state{}, nil
	}
	if len(text) < stateEnd || text[:stateSeq] != formatVersion {
		return state{}, fmt.Errorf("state %q: %w", text, errVersion)
	}
	for _, number := range []struct {
		to    *uint64
		begin int
	}{{&s.seq, stateSeq}, {&s.logged, stateLogged}, {&s.latest, stateLatest}} {
		if *number.to, err = parseSequence(text[number.begin : number.begin+sequenceDigits]); err != nil {
			return state{}, fmt.Errorf("state %q: %w", text, err)
		}
	}
	return s, nil
}

// parseLogged reads an entry of a channel's log.
func parseLogged(ch channel, m redis.XMessage) (delivery, error) {
	d := delivery{channel: ch}
	id, _, _ := strings.Cut(m.ID, "-")
	previous, logged, ok := strings.Cut(text(m.Values, "q"), " ")
	if !ok {
		logged = previous
	}
	return d, d.read(id, previous, logged, text(m.Values, "m"))
}

// parseLatest reads "<sequence> <previous> <logged> <record>".
func parseLatest(ch channel, value string) (delivery, error) {
	d := delivery{channel: ch}
	words := strings.SplitN(value, " ", 4)
	if len(words) != 4 {
		return d, fmt.Errorf("a value of %d words", len(words))
	}
	return d, d.read(words[0], words[1], words[2], words[3])
}

func (d *delivery) read(seq, previous, logged, stored string) (err error) {
	for i, to := range []*uint64{&d.at.seq, &d.at.previous, &d.at.logged} {
		if *to, err = parseSequence([]string{seq, previous, logged}[i]); err != nil {
			return err
		}
	}
	d.record, err = parseStored(stored)
	return err
}

func text(values map[string]any, field string) string {
	s, _ := values[field].(string)
	return s
}
