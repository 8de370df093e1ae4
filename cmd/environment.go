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
	for origin := range strings.SplitSeq(getenv("ALLOWED_ORIGINS"), ",") {
		if origin = strings.TrimSpace(origin); origin != "" {
			a.Origins = append(a.Origins[:len(a.Origins):len(a.Origins)], origin)
		}
	}
	if delay := getenv("SHUTDOWN_DELAY"); delay != "" {
		d, err := time.ParseDuration(delay)
		if err != nil || d < 0 {
			return fmt.Errorf("SHUTDOWN_DELAY %q is not a time such as 5s", delay)
		}
		a.ShutdownDelay = d
	}
	return a.addrFromEnvironment(getenv("HOST"), getenv("PORT"), names)
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
