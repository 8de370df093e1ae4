// Command demo is a small app built on queuerun, to be used in a browser:
//
//	go run ./cmd/demo
//
// and then http://localhost:8080. Sign in as any name, in two tabs or as two
// people. It has one chat room whose members see each other come and go, a shop
// whose orders report their progress live on all tabs of the person who
// ordered, and a clock that a schedule moves every minute.
//
// The page talks to the server over one connection of the client library. Each
// message is a JSON object with a type. The page requests enter, chat and order,
// and is answered with the room, the line and the order; typing it just sends.
// To the page come joined, left, chat, typing and tick, to everyone in the room,
// and order, to who ordered.
//
// Nothing is kept in the memory of a process: the members, the chat and the
// orders live in Redis, so the same program runs as one process or as several.
package main

import (
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/socket"
)

func main() { cmd.Main(app()) }

func app() cmd.App {
	return cmd.App{
		Jobs: []jobs.Handler{
			orders.Handle(fulfil, jobs.Timeout(time.Minute)),
		},
		Schedules: []scheduler.Schedule{
			scheduler.New("tick", "* * * * *", tick),
		},
		Socket: socket.Handlers{
			Authenticate: signIn,
			OnMessage:    receive,
			OnOnline:     join,
			OnOffline:    leave,
		},
		HTTP: page(),
	}
}
