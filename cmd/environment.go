package cmd

import (
	"fmt"
	"strings"
	"time"
)

// fromEnvironment sets the fields that the environment has values for.
func (a *App) fromEnvironment(getenv func(string) string, names []string) error {
	if u := getenv("REDIS_URL"); u != "" {
		a.RedisURL = u
	}
	if p := getenv("DASHBOARD_PASSWORD"); p != "" {
		a.DashboardPassword = p
	}
	a.Origins = addList(a.Origins, getenv("ALLOWED_ORIGINS"))
	a.Hosts = addList(a.Hosts, getenv("ALLOWED_HOSTS"))
	if delay := getenv("SHUTDOWN_DELAY"); delay != "" {
		d, err := time.ParseDuration(delay)
		if err != nil || d < 0 {
			return fmt.Errorf("SHUTDOWN_DELAY %q is not a time such as 5s", delay)
		}
		a.ShutdownDelay = d
	}
	return a.addrFromEnvironment(getenv("HOST"), getenv("PORT"), names)
}

// addList adds the entries of a list that is separated by commas.
func addList(to []string, list string) []string {
	to = to[:len(to):len(to)]
	for entry := range strings.SplitSeq(list, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			to = append(to, entry)
		}
	}
	return to
}

// addrFromEnvironment sets Addr. A host alone does not make a worker listen: only
// a port is given to a process that is meant to.
func (a *App) addrFromEnvironment(host, port string, names []string) error {
	if port != "" {
		if err := checkPort(port); err != nil {
			return err
		}
	}
	set, err := parseRoles(names)
	if err != nil {
		return err
	}
	if port != "" || host != "" && set.serve() {
		a.Addr = joinAddr(host, port, a.RedisURL == "")
	}
	return nil
}
