// Command bench measures the socket half of queuerun, beside a peer when it is
// given one, and prints everything that it found in one run:
//
//	go run ./cmd/bench -quick              # some seconds: does it all work?
//	go run ./cmd/bench                     # minutes: the figures of this machine
//	go run ./cmd/bench -peer DIR           # the same, beside a peer
//	go run ./cmd/bench -profile DIR        # and where the CPU time goes
//
// It needs Linux, for /proc, and redis-server on the PATH.
//
// # What is measured
//
// A workload runs on a redis-server, a server, a load generator and a publisher
// that are started for it alone, each a process. The sides take turns, and what
// is printed is the median of the rounds. Both sides keep a history of -history
// messages for a minute for each user, and both have the same load generator: what
// it needs of the processors is missing to both alike. The workloads are
//
//   - user: messages to one random user each, as fast as 64 concurrent senders
//     can send them.
//   - to: messages to 100 random users each, with socket.To. The peer publishes
//     the same number of deliveries one by one.
//   - broadcast: messages to every user each, with socket.To in batches of 100. The
//     peer publishes the same number of deliveries one by one.
//   - rate: messages to one random user each, at a fixed rate.
//   - idle: connections that only stay open.
//
// "Delivered" counts from the first arrival to the last one; "lost" is what never
// arrived, in all rounds, and fewer than none are repeats. What a round that lost
// messages yielded otherwise counts only where every round of that side did. A delay goes from before the message is encoded to
// when its frame was read; all processes share a clock. CPU time is user and
// system time of a whole process, divided by the deliveries; that of the server,
// of Redis and of the load generator does not include what opening the
// connections took. Memory is the resident memory that a server gains from
// being idle to having its connections open, for each of them.
//
// All processes share the machine's processors, so that what one of them needs
// is missing elsewhere: figures of two machines, or of two versions measured on
// different days, compare badly; ratios of one run compare well.
//
// # The peer
//
// A peer is a directory with a program "peer-centrifuge" that has the two modes
//
//	serve   -addr HOST:PORT -redis HOST:PORT -history N
//	publish -redis HOST:PORT -users N -n MESSAGES -rate PER_SECOND -history N
//
// and accepts WebSocket connections at /ws?user=N.
//
// With -load, another load generator takes the place of "bench load", for both
// sides; it has the flags that are used here, and prints the same two lines. What
// it calls messages a second is believed, also when it counts from a time-out.
//
// # Processes
//
// The processes are modes of this command, which can be run by hand: "bench serve",
// "bench publish" and "bench load", each with -h. The server is a program built on
// package cmd, with the role "socket".
package main
