package socket

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
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
		if err == nil || ctx.Err() != nil || redisstep.Answered(err) && !redisstep.Passing(err) || time.Now().After(deadline) {
			return p, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

//go:embed lua/replay.lua
var replaySource string

var replayScript = newScript(replaySource)

func (h *hub) readPage(ctx context.Context, ch channel, from point, upTo uint64) (page, error) {
	keys := []string{h.keys.state(ch), h.keys.log(ch), h.keys.latest(ch)}
	reply, err := replayScript.Run(ctx, h.leases.redis, keys, string(appendSequence(nil, from.logged)), replayPage).Slice()
	if err != nil {
		return page{}, fmt.Errorf("read the log of %s: %w", ch, err)
	}
	k, err := parseKept(reply)
	if err != nil {
		return page{}, fmt.Errorf("read the log of %s: %w", ch, err)
	}
	newest, err := parseState(k.state)
	if err != nil {
		return page{}, fmt.Errorf("log of %s: %w", ch, err)
	}
	p := page{complete: from.seq <= newest.seq && upTo <= newest.seq, to: newest.point, more: k.more}
	chain := from.logged
	for _, entry := range k.log {
		d, err := parseDelivery(ch, entry)
		if err != nil {
			return page{}, fmt.Errorf("log of %s: %w", ch, err)
		}
		p.complete = p.complete && d.at.logged == chain
		chain = d.at.seq
		if d.at.seq > from.seq { // a point need not know how far in the log it is
			p.messages = append(p.messages, d)
		}
	}
	if p.more {
		p.to = point{max(from.seq, chain), chain}
	} else {
		p.complete = p.complete && chain == newest.logged
	}
	return p, p.merge(ch, k.latest, from, newest.latest)
}

// kept is what Redis has of a channel, as replay.lua returns it.
type kept struct {
	state  string
	log    []string
	more   bool // the log goes on
	latest map[string]string
}

func parseKept(reply []any) (k kept, err error) {
	if len(reply) != 4 {
		return k, fmt.Errorf("unexpected reply %v", reply)
	}
	k.state, _ = reply[0].(string)
	k.log = texts(reply[1])
	k.more = reply[2] == int64(1)
	latest := texts(reply[3])
	k.latest = make(map[string]string, len(latest)/2)
	for pair := range slices.Chunk(latest, 2) {
		if len(pair) == 2 {
			k.latest[pair[0]] = pair[1]
		}
	}
	return k, nil
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
		d, err := parseDelivery(ch, value)
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

// parseDelivery reads what append.lua keeps of a message.
func parseDelivery(ch channel, entry string) (d delivery, err error) {
	d.channel = ch
	r := entryReader{rest: entry}
	d.at = r.position()
	if r.err != nil {
		return d, r.err
	}
	d.record, err = parseStored(r.rest)
	return d, err
}
