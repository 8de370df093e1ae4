package cmd

import (
	"crypto/rand"
	"net/url"

	"github.com/queuerun/queuerun/web"
)

// dashboardAccess says who may see the dashboard and the metrics of this process:
// whoever knows the password; without one, everybody if nobody but this machine can
// ask, and nothing but an embedded Redis can be seen; and else whoever has the token,
// which is new in each process.
func (p *process) dashboardAccess() *web.Access {
	access := &web.Access{Logger: p.app.Logger}
	switch {
	case p.app.DashboardPassword != "":
		access.Principals = []web.Principal{{Name: "password", Secret: p.app.DashboardPassword, Scopes: web.AllScopes}}
	case p.store.embedded != nil && onLoopback(p.listener) && len(p.app.Hosts) == 0:
		access.Open = true
	default:
		p.token = rand.Text()
		access.Principals = []web.Principal{{Name: "token", Secret: p.token, InURL: true, Scopes: web.AllScopes}}
	}
	return access
}

// hosts are the names that requests may be for. In development no others mean this
// process: it is asked by pages of the same machine.
func (p *process) hosts() []string {
	if p.store.embedded != nil {
		return append([]string{"localhost"}, p.app.Hosts...)
	}
	return p.app.Hosts
}

// announceToken says how to see the dashboard, or the metrics if there is none.
func (p *process) announceToken() {
	if p.token == "" {
		return
	}
	page := "/metrics"
	if p.roles.has(Web) {
		page = "/monitoring"
	}
	p.app.logger().Info("no password is set: the dashboard and the metrics need this token, which is good until the process ends; or set DASHBOARD_PASSWORD",
		"url", pageURL(p.listener)+page+"?token="+url.QueryEscape(p.token))
}
