package socket

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// inboxLimit bounds a server's inbox, in entries. A server that finds its inbox
// this full knows that some were cut off and reads the logs of its channels.
const inboxLimit = 20_000

// notice is the second trip of some messages of a batch to one server: one entry
// in its inbox. The entry may be repeated when a reply is lost; servers drop what
// they have seen. A server that is gone has no inbox, and none is made.
type notice struct {
	server string
	sends  []*dispatch // that are in it
	entry  []byte
	cmd    *redis.StringCmd
	failed error
}

// makeNotices writes the entries of a batch that was appended, and ends what
// nobody needs to be told of.
func (b *batch) makeNotices() {
	if b == nil {
		return
	}
	current := map[string]*notice{} // by server
	told := b.sends[:0]
	for _, d := range b.sends {
		byServer := d.servers()
		if len(byServer) == 0 {
			d.end(nil)
			continue
		}
		told = append(told, d)
		for server, to := range byServer {
			n := current[server]
			if n == nil || len(n.entry)+len(d.stored) > batchBytes {
				n = &notice{server: server, entry: []byte(formatVersion)}
				current[server] = n
				b.notices = append(b.notices, n)
			}
			n.sends = append(n.sends, d)
			n.entry = appendDelivery(n.entry, d.stored, to)
		}
	}
	b.sends = told
}

// servers returns what is to be told to which server.
func (d *dispatch) servers() map[string][]*target {
	var byServer map[string][]*target
	for i := range d.targets {
		t := &d.targets[i]
		if !t.appended {
			continue
		}
		for _, server := range t.servers {
			if byServer == nil {
				byServer = make(map[string][]*target, 1)
			}
			byServer[server] = append(byServer[server], t)
		}
	}
	return byServer
}

// noticeCommands makes an attempt of the second trip.
func (b *batch) noticeCommands(ctx context.Context, k keyspace) (cmds []redis.Cmder) {
	if b == nil {
		return nil
	}
	for _, n := range b.notices {
		n.cmd = redis.NewStringCmd(ctx, "xadd", k.inbox(n.server), "nomkstream", "maxlen", "~", inboxLimit, "*", "b", n.entry)
		cmds = append(cmds, n.cmd)
	}
	return cmds
}

// notified reads the replies of an attempt and tells whether no further one is
// needed; then the sends of the batch have ended. After the last one none is made.
func (b *batch) notified(last bool) bool {
	if b == nil {
		return true
	}
	var failed []*notice
	for _, n := range b.notices {
		if err := n.cmd.Err(); err != nil && err != redis.Nil {
			n.failed = fmt.Errorf("tell the servers: %w: %w", ErrUncertain, err)
			failed = append(failed, n)
		}
	}
	if b.notices = failed; len(failed) > 0 && !last {
		return false
	}
	for _, d := range b.sends {
		var err error
		for _, n := range failed {
			if slices.Contains(n.sends, d) {
				err = n.failed
			}
		}
		d.end(err)
	}
	b.sends = nil
	return true
}
