// Package web is the HTTP server of a program.
//
// A Server answers on these paths itself, whatever the program's own handler would
// make of them, and gives every other request to that handler:
//
//	/socket        WebSocket connections (package socket)
//	/queuerun.js   the client library for pages (package client)
//	/monitoring    the dashboard, and all below it
//	/metrics       metrics for Prometheus
//	/healthz       200 while the process lives
//	/readyz        200 while Redis takes a write within a second and nothing is
//	               stopping, else 503; Redis is asked once a second at most
//
// Paths are compared as they are, and never redirected.
//
// # Requests
//
// The context of a request to the program's handler carries the values of the
// context that Run was given, among them the jobs client and the socket sender, so
// that handlers push and send with it. It also carries the current user as
// Authenticate said, for jobs.UserID, and an id for jobs.RequestID: that of the
// X-Request-Id header if a proxy has set one, else a new one. The answer has it in
// the same header.
//
// Errors of the server are JSON objects: {"error": "token expired"}. A handler that
// panics is answered with status 500, or by cutting the connection if part of the
// answer has been sent, and leaves a line in the log. Handlers may stream, hijack
// connections and use http.ResponseController as with net/http alone.
//
// # Limits
//
// The headers of a request must arrive within 10 seconds and have at most 64 KiB; an
// idle connection is closed after 2 minutes. On the server's own paths the whole body
// must arrive within 10 seconds, and the answer be taken within 2 minutes, but for
// sockets, which have their own limits. A body that the program's handler reads may take any time, if no pause in it is
// longer than Server.BodyTimeout; answers of the handler have no limit, because it would
// end streams too. A handler that wants others sets them with http.ResponseController.
//
// # Dashboard and metrics
//
// Dashboard and Metrics show what no stranger should see, and the dashboard can delete
// jobs. An Access decides who may: whoever has the secret of one of its principals, who
// have scopes, such as to read or to operate. It may also be open, for development.
// Neither the address of a client nor what it, or a proxy, says in a header lets
// anybody in: that a request is from this machine means nothing when a proxy is on it.
// Pages of other sites can neither change anything through the dashboard nor show it in
// a frame.
//
// A browser that gave a secret gets a cookie that is good for as long as the process
// lives. Wrong secrets are written to the log, once a minute at most, and slowed down: an
// address, or the /64 network of an IPv6 address, has ten guesses, and one more every 10
// seconds; more are answered with 429 without a look at them. 1,024 of them are told
// apart, and all others share one count. Behind a proxy that is one address for all, where
// only who has the cookie can be sure to be let in while somebody guesses.
//
// Server.Hosts says for which names requests may be. A server that only the own
// machine, or the own network, can reach needs it: pages of other sites can reach it
// too, through the browsers that are there, by names of their own.
//
// Both show the queues of the app that has their Prefix, and those alone. Apps that
// share a Redis and have no prefix share their queues, and their dashboards.
//
// # Names, numbers and times in the dashboard
//
// The dashboard's page puts ids and names into the paths of its requests. So that each
// is one segment of a path and no other name, it gets them in a form of their own:
// letters, digits, - . _ : and single spaces between words stay, any other byte, and a
// dot in front, is ~ and two hexadecimal digits. The job "order#1" is order~231 there, and the schedule
// "db/backup" db~2Fbackup, in paths, lists and the requests of scripts alike. The
// search for an id takes this form. Ids, queues, groups and schedules of other asynq
// clients are shown so too; a queue or a group of theirs that has a "/" in its name, or
// any that is called "." or "..", is listed, but cannot be opened. What is in no such
// form is refused, and nothing is changed.
//
// The page reads payloads and results that are JSON, to write them with indents.
// It would round integers above 2^53 and long decimals, and lose 1e400 and -0: a text
// with a number that it would not write as it is there is written by the server, and
// ends in the line "// numbers as they are stored".
//
// A job that waits for those before it in its FIFO group is run at no time that is
// known, which the list of the scheduled jobs shows as "-". The page of the schedules
// has no sign for that: a schedule without a next tick, such as one that is paused or
// "never", shows one in the year 9999, millions of days ahead, and its spec says why.
package web
