package socket

import (
	"context"
	"fmt"
	"slices"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// directory keeps, in Redis, which servers have connections of the channels that
// are no user's: topics and the broadcast. Users are in presence.
type directory struct {
	redis redis.UniversalClient
	keys  keyspace
}

// rerouteFunction is Lua. It writes who is in a channel's directory into the
// channel's state, so that a send needs to read nothing else: who changes the
// directory calls it in the same step. It returns the state. Without a server the
// state outlives what is kept of the channel by so many ms as absent; that of a
// channel that nothing was sent to goes with the last server.
const rerouteFunction = `
local function reroute(key, servers, absent)
  local state = redis.call('GET', key) or '1' .. string.rep('0', 65)
  if string.sub(state, 1, 1) ~= '1' then error('the state has another version') end
  local all = redis.call('HKEYS', servers)
  local new = string.sub(state, 1, 65) .. string.match(string.sub(state, 66), '^%d+')
  if #all > 0 then
    new = new .. ' ' .. table.concat(all, ' ')
    redis.call('SET', key, new)
  elseif string.find(new, '^10+$') then
    redis.call('DEL', key)
  else
    local t = redis.call('TIME')
    local left = tonumber(string.sub(state, 50, 65)) / 1000 - (t[1] * 1000 + t[2] / 1000)
    redis.call('SET', key, new, 'PX', math.ceil(absent + math.max(0, left)))
  end
  return new
end
`

// enterScript puts a server into a channel's directory, unless its lease is over:
// it may have been reaped already, and what it wrote now would stay for ever. A full
// Redis refuses it, unless the server was there under an earlier lease.
var enterScript = newScript(rerouteFunction + leaseFunction + `
if not leased(redis.call('TIME'), ARGV[2], ARGV[3]) then return '-1' end
if ARGV[4] == '1' then redis.call('HDEL', KEYS[1], '') end -- see newScript
redis.call('HSET', KEYS[1], ARGV[1], '1')
return reroute(KEYS[2], KEYS[1])`)

// followScript adds a channel to a server's set.
var followScript = newScript(`
if ARGV[2] == '1' then redis.call('SREM', KEYS[1], '') end -- see newScript
return redis.call('SADD', KEYS[1], ARGV[1])`)

// exitScript takes a server out of a channel's directory.
var exitScript = newScript(rerouteFunction + `
redis.call('HDEL', KEYS[1], ARGV[1])
reroute(KEYS[2], KEYS[1], ARGV[2])
return 1`)

// enter puts the channel into the server's set, which is what a reaper goes by,
// and then the server into the channel's directory. It returns how far the
// channel is, from where on the server's inbox has everything.
// One that is known was there under an earlier lease.
func (d directory) enter(ctx context.Context, ch channel, l lease, known bool) (point, error) {
	if err := followScript.Run(ctx, d.redis, []string{d.keys.follows(l.server)}, string(ch), asFlag(known)).Err(); err != nil {
		return point{}, fmt.Errorf("enter the directory of %s: %w", ch, redisstep.Explain(err))
	}
	reply, err := enterScript.Run(ctx, d.redis, []string{d.keys.servers(ch), d.keys.state(ch)},
		l.server, l.till, l.length.Milliseconds(), asFlag(known)).Text()
	err = redisstep.Explain(err)
	if err == nil && reply == "-1" {
		err = errLeaseOver
	}
	if err != nil {
		return point{}, fmt.Errorf("enter the directory of %s: %w", ch, err)
	}
	newest, err := parseState(reply)
	return newest.point, err
}

// exit takes the server out of the channel's directory, and then the channel out
// of the server's set.
func (d directory) exit(ctx context.Context, ch channel, server string) error {
	keys := []string{d.keys.servers(ch), d.keys.state(ch)}
	if err := exitScript.Run(ctx, d.redis, keys, server, stateRetention.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("leave the directory of %s: %w", ch, err)
	}
	if err := d.redis.SRem(ctx, d.keys.follows(server), string(ch)).Err(); err != nil {
		return fmt.Errorf("leave the directory of %s: %w", ch, err)
	}
	return nil
}

// release takes a server that is gone out of every directory. A channel with which
// it fails does not keep it from the others.
func (d directory) release(ctx context.Context, server string) error {
	var g errgroup.Group
	g.SetLimit(reapersPerServer)
	scan := d.redis.SScan(ctx, d.keys.follows(server), 0, "", 500).Iterator()
	for scan.Next(ctx) {
		ch := channel(scan.Val())
		g.Go(func() error { return d.exit(ctx, ch, server) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("list channels: %w", err)
	}
	return nil
}

// enterDirectory registers a channel that is no user's under the current lease,
// when it is not yet.
func (h *hub) enterDirectory(ctx context.Context, s *subscription, l *lease) error {
	if s.registered != l.server {
		if !slices.Contains(s.servers, l.server) {
			s.servers = append(s.servers, l.server)
		}
		before := s.position()
		top, err := h.directory.enter(ctx, s.channel, *l, s.registered != "")
		if err != nil {
			return err
		}
		s.registered = l.server
		h.catchUp(ctx, s, before, top)
	}
	return h.exitFrom(ctx, s, func(server string) bool { return server != l.server })
}

// exitFrom takes the channel out of the directory under those of its servers of
// which which is true.
func (h *hub) exitFrom(ctx context.Context, s *subscription, which func(server string) bool) error {
	for i := 0; i < len(s.servers); {
		if !which(s.servers[i]) {
			i++
			continue
		}
		if err := h.directory.exit(ctx, s.channel, s.servers[i]); err != nil {
			return err
		}
		s.servers = slices.Delete(s.servers, i, i+1)
	}
	return nil
}

// leaveDirectory takes a channel that is no user's out of the directory.
func (h *hub) leaveDirectory(ctx context.Context, s *subscription) error {
	s.registered = "" // also when the reply is lost
	s.restart()
	return h.exitFrom(ctx, s, func(string) bool { return true })
}
