package cmd

import (
	"fmt"
	"slices"
	"strings"
)

// The roles that a process can have.
const (
	Web       = "web"       // the program's HTTP handler and the dashboard
	Socket    = "socket"    // the WebSocket connections
	Worker    = "worker"    // jobs, ticks and presence
	Scheduler = "scheduler" // makes a job of each tick
)

var allRoles = []string{Web, Socket, Worker, Scheduler}

// roles is a set of them.
type roles []string

// parseRoles returns the named roles in their usual order; no name means all.
func parseRoles(names []string) (roles, error) {
	for _, name := range names {
		if !slices.Contains(allRoles, name) {
			return nil, fmt.Errorf("unknown role %q: the roles are %s", name, strings.Join(allRoles, ", "))
		}
	}
	if len(names) == 0 {
		return allRoles, nil
	}
	var set roles
	for _, role := range allRoles {
		if slices.Contains(names, role) {
			set = append(set, role)
		}
	}
	return set, nil
}

func (r roles) has(role string) bool { return slices.Contains(r, role) }

// serve reports whether the roles have pages or sockets to serve, and so listen
// without being told to.
func (r roles) serve() bool { return r.has(Web) || r.has(Socket) }

func (r roles) String() string { return strings.Join(r, ", ") }
