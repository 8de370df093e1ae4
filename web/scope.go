package web

import "strings"

// Scope is what somebody may do through what a server serves itself. Several are
// joined with |.
type Scope uint8

const (
	ScopeRead    Scope = 1 << iota // see queues, jobs, schedules and metrics
	ScopeOperate                   // pause queues; run, archive, cancel and delete jobs
	ScopePush                      // push jobs
	ScopeSend                      // send messages to users
	ScopeAdmin                     // decide what others may do
)

// AllScopes is everything.
const AllScopes = ScopeRead | ScopeOperate | ScopePush | ScopeSend | ScopeAdmin

// Has reports whether s has all of the wanted scopes.
func (s Scope) Has(wanted Scope) bool { return s&wanted == wanted }

// String names the scopes, such as "read, operate".
func (s Scope) String() string {
	var names []string
	for i, name := range []string{"read", "operate", "push", "send", "admin"} {
		if s.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
