// Package jobs runs work outside of the request that asked for it: in queues on
// Redis that survive restarts, by workers that retry what fails.
//
// # Model
//
// A [Queue] is a name and a payload type, declared once. Push stores a job in
// it, and a [Worker] with the queue's [Handler] runs it. Every job is a task of
// Asynq (github.com/hibiken/asynq), so Asynq's dashboard and tools show it,
// archive it and run it again; but handlers never see Asynq.
//
// What a push needs to know comes with its context: the [Client], which has the
// connection, and the user and the request on whose behalf the work is done.
// Handlers are given such a context, so that what a job pushes belongs to the
// same user.
//
// # What is promised
//
// A job is run at least once. It is done when its handler returns nil; an
// error, a panic or a time-out is a failure, and the job is tried again after a
// while, until it succeeds or its retries are used up. Then it is kept in the
// archive and can be run from there. Nothing else of a job starts before its
// handler has returned, even if that takes longer than the time-out. A payload
// that cannot be decoded goes to the archive at once. The worker that runs a
// job decides on retries and time-out, not the program that pushed it.
//
// A queue whose name ends in ".fifo" has groups. The jobs of a group run one at
// a time in the order in which they were pushed, and a failing job holds its
// group back until it succeeds or is given up. Groups run side by side. Pushing
// the same again within five minutes is ignored (see [Group.Dedupe]).
//
// Replies that get lost between Redis and this program neither lose a job nor
// double it, nor run one twice that is done.
//
// # What is not promised
//
// A job may be run again although its handler had returned: when the worker
// dies, or cannot reach Redis for long, between the two. Handlers that must not
// do a thing twice have to notice by themselves; [Job] has an id for that. A
// worker that dies leaves its jobs leased for up to two minutes, and their
// groups waiting. A job started early never happens by this package's clock,
// but clocks of different machines differ. What the dashboard removes or runs
// in a FIFO queue is noticed within a few seconds.
//
// # How it stands on Asynq
//
// Asynq encodes tasks, keeps the leases of running jobs and moves delayed ones.
// The steps that must be atomic with a group or a wake-up are scripts of this
// package, in the directory lua. They take the place of Asynq's scripts with
// the same meaning, which pushstore.go and workstore.go recognise by the keys
// they are given (shape.go). Beside Asynq's keys of a queue there are
//
//	asynq:{queue}:fifo:<group>    list of the group's job ids, the first may run
//	asynq:{queue}:fifo-groups     set of the groups that have jobs
//	asynq:{queue}:fifo-seq        number of the last job
//	asynq:{queue}:dedupe:<hash>   id of the first job of a dedupe id, for 5 minutes
//	asynq:{queue}:push:<lane>     last push of a pusher, to recognise its repetition
//	asynq:{queue}:claim:<worker>  last job that a worker started, likewise
//
// and in a task's hash the fields starts, run (who runs it now), fifo_group and
// fifo_seq. A job that is not the first of its group is parked as a task
// scheduled for the year 2200. "queuerun:queues" is the set of queues that any
// worker has handled; with a prefix, it and the queues' names contain it.
package jobs
