package socket

import "strings"

// keyspace names every key of one application. All keys of a user share a hash
// tag, and so do all keys of a server, for the scripts that need several of
// them at once on a cluster.
type keyspace string

func newKeyspace(prefix string) keyspace {
	if prefix == "" {
		return "queuerun:"
	}
	return keyspace("queuerun:" + prefix + ":")
}

// A brace in a user's id would end the hash tag early.
var hashTag = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")

func (k keyspace) user(id, name string) string {
	return string(k) + "{u:" + hashTag.Replace(id) + "}:" + name
}

// The keys of a user.
func (k keyspace) log(user string) string      { return k.user(user, "log") }      // stream of recent messages
func (k keyspace) top(user string) string      { return k.user(user, "top") }      // sequence of the newest message
func (k keyspace) servers(user string) string  { return k.user(user, "servers") }  // directory: hash by server
func (k keyspace) presence(user string) string { return k.user(user, "presence") } // hash: online, generation, applied
func (k keyspace) outbox(user string) string   { return k.user(user, "outbox") }   // list of transitions to push

// The keys of a server's incarnation.
func (k keyspace) inbox(server string) string { return string(k) + "{s:" + server + "}:inbox" } // stream
func (k keyspace) users(server string) string { return string(k) + "{s:" + server + "}:users" } // set

// leases is the sorted set of all servers by the time their lease ends.
func (k keyspace) leases() string { return string(k) + "leases" }
