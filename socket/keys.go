package socket

import "strings"

// keyspace names every key of one application. All keys of a channel share a
// hash tag, those of a user's channel with the user's own, and so do all keys of
// a server, for the scripts that need several of them at once on a cluster.
type keyspace string

func newKeyspace(prefix string) keyspace {
	if prefix == "" {
		return "queuerun:"
	}
	return keyspace("queuerun:" + prefix + ":")
}

// A brace in a user's id or a topic would end the hash tag early.
var (
	hashTag   = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")
	inHashTag = strings.NewReplacer("%25", "%", "%7B", "{", "%7D", "}")
)

// inKey is the channel's name as it is in keys.
func (c channel) inKey() string { return hashTag.Replace(string(c)) }

// channelInKey is the channel of a name in a key.
func channelInKey(name string) channel {
	if !strings.Contains(name, "%") {
		return channel(name) // as nearly all of them
	}
	return channel(inHashTag.Replace(name))
}

func (k keyspace) channel(ch channel, name string) string {
	return string(k) + "{" + ch.inKey() + "}:" + name
}

// The keys of a channel.
func (k keyspace) log(ch channel) string     { return k.channel(ch, "log") }     // list of recent messages
func (k keyspace) state(ch channel) string   { return k.channel(ch, "state") }   // how far it is and who holds connections, see append.lua
func (k keyspace) latest(ch channel) string  { return k.channel(ch, "latest") }  // hash of messages by the key of Latest
func (k keyspace) servers(ch channel) string { return k.channel(ch, "servers") } // directory: hash by server

// The keys of a user besides.
func (k keyspace) presence(user string) string { return k.channel(userChannel(user), "presence") } // hash: online, generation, applied
func (k keyspace) outbox(user string) string   { return k.channel(userChannel(user), "outbox") }   // list of transitions to push
func (k keyspace) topics(user string) string   { return k.channel(userChannel(user), "topics") }   // hash: how far each was when the user joined

// The keys of a topic besides.
func (k keyspace) members(topic string) string { return k.channel(topicChannel(topic), "members") } // hash: user by the time of joining
func (k keyspace) left(topic, user string) string { // number of a membership that ended before it had begun
	return k.channel(topicChannel(topic), "left:"+user)
}

// The keys of a server's incarnation.
// inboxParts is what is before and behind the server's name in inbox.
func (k keyspace) inboxParts() (before, behind string) { return string(k) + "{s:", "}:inbox" }

func (k keyspace) inbox(server string) string    { return string(k) + "{s:" + server + "}:inbox" }    // stream
func (k keyspace) users(server string) string    { return string(k) + "{s:" + server + "}:users" }    // set
func (k keyspace) checksum(server string) string { return string(k) + "{s:" + server + "}:checksum" } // of the set of users
func (k keyspace) follows(server string) string  { return string(k) + "{s:" + server + "}:follows" }  // set of channels

// leases is the sorted set of all servers by the time their lease ends.
func (k keyspace) leases() string { return string(k) + "leases" }

// leaseLengths is the hash of how long each lease is. It is in the slot of leases.
func (k keyspace) leaseLengths() string {
	if all := k.leases(); !strings.Contains(all, "{") {
		return "{" + all + "}:lengths"
	}
	return k.leases() + ":lengths" // the prefix has a hash tag
}
