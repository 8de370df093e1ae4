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
// same user. The client also looks after jobs by their id: Get, Wait, Cancel.
//
// # Retries
//
// A job is run at least once. It is done when its handler returns nil. An
// error, a panic or a time-out is a failure, and the job is tried again when
// [Backoff] or [RetryIn] say so, until it succeeds or its [Retries] are used up.
// Then, or at once after a [Permanent] error or with a payload that cannot be
// decoded, it goes to the archive, from where it can be run again. The worker
// that runs a job decides on all this, not the program that pushed it. Nothing
// else of a job starts before its handler has returned, even if that takes
// longer than the time-out; a second after that the handler is logged, with its
// stack.
//
// What a handler returns is code of the program's, and so are the methods of its
// payloads, its middleware, [Backoff], [RetriesOf], OnUpdate and its logger. Where
// they panic, or end their goroutine, neither a worker nor a job goes with them:
// the job fails as if the handler had said so, and the archive and the log tell
// whose method did what. An error is read once, when the handler has returned.
//
// # Limits
//
// What is larger than this is refused, with an error that names it. Only the text
// of an error is cut, and says so, since a failure has to be written.
//
//	payload, result                          16 MiB
//	progress                                 64 KiB
//	keys and values of all Params            64 KiB
//	id of a group, a user, a request; line    1 KiB
//	id of a job                             200 bytes
//	text of an error, stored, told or logged  4 KiB, what is longer is cut
//	payload of a running job in the dashboard 1 KiB, what is longer is cut
//	In, At, Retain, Unique, the time of Rate  36,500 days
//	Concurrency                               100,000
//	Ascending                                 2^53-1, either way
//
// Payloads of other asynq clients have no limit. Times are kept in milliseconds,
// a Retain in seconds, and rounded up. Of the numbers in a payload see [Queue].
//
// # FIFO queues and dedupe
//
// A queue whose name ends in ".fifo" has groups. The jobs of a group run one at
// a time in the order in which they were pushed, and a failing job holds its
// group back until it succeeds or is given up. Groups run side by side. A group
// is a set of job ids in the order of the pushes; the first is in line for the
// workers, the others are parked as tasks that are scheduled for the year 2200,
// where the dashboard shows them. The step that ends a job, for good, lets the
// next one run. A job that was deleted or given up is stepped over, one that is
// run by hand out of turn is parked again, and one that is run from the archive
// takes its place by the order of the pushes, behind the one whose turn it is.
//
// Pushing the same again within five minutes to a group is ignored, and Push
// returns the id of the first job, also when that has ended: the same payload,
// or the same id given to [Group.Dedupe]. A job that was deleted or cancelled while
// it waited is not repeated: the next push is a new job. [Unique] does so for standard queues, in
// which [Serial] makes groups of some jobs. [Ascending] is for pushes of a sequence
// that must happen once although several processes make them.
//
// # Recovery
//
// A worker process has one lease on all jobs that it runs, renewed every two
// seconds. When it was not renewed for ten, by the clock of Redis, another
// worker of the queue puts its jobs back in line: within 13 seconds or so of
// the death. No retry is charged, and [Job].Attempt counts the start. The fifth
// recovery of a job gives it up, or a job that kills its workers would go on
// for ever; a worker that was told to stop, and ended or was killed before the
// handler had returned, is not counted. Each start writes a run id into the task, and every step that ends
// a run names it: a worker that was only stopped or cut off, and comes back
// after its jobs were given to others, can change nothing of them any more. The
// contexts of its handlers are cancelled with [ErrLeaseLost], and it goes on
// under a new lease.
//
// A command whose reply was lost is repeated, and the scripts notice that: it
// neither loses a job nor doubles it, nor runs one again that is done. The
// outcome of a run is written until Redis takes it. A worker for which Redis was
// away takes nobody for dead for ten seconds, for others may not have reached
// it either. And a lease that Redis has forgotten, in a fail-over, is noticed
// within two minutes, and its jobs are put back in line.
//
// All these times are by the clock of Redis, and a worker compares it with its own,
// which runs evenly. So a clock that was put forward is not taken for a silence:
// nobody is taken for dead until all had the time to renew their leases. A clock
// that was put back makes neither leases nor rates longer, and the waits of retries
// and of jobs pushed with [In] while it was ahead are cut to their lengths. (That
// takes a worker that saw the clock before and after, two seconds apart.) What is
// due at a time, with [At], is due when the clock says so.
//
// # A Redis that is full
//
// When Redis has reached its maxmemory and may evict nothing, a push is refused with
// [ErrFull] and leaves nothing behind. Whatever frees memory in the end works: jobs
// are started, retried, recovered, cancelled and given up, and a worker that starts
// then works all of it off. Redis must not be configured to evict keys that have
// no expiry (maxmemory-policy allkeys-…): it would take jobs.
//
// # A Redis that is not as expected
//
// Whatever runs tries at the start what it needs: Redis 7.0 or later, that is no
// replica and no node of a cluster, and takes scripts that write. What may pass is
// waited for, up to five seconds; else the error says what Redis refuses and what to
// do. A full Redis, and a user of Redis who may not use the channels, which are
// "queuerun:wake:…" and "asynq:cancel", are one warning.
//
// # What a step costs
//
// Redis does one thing at a time, so no step takes longer when lines or groups are
// long, or groups are many. A push, a start and an end take some ten microseconds of
// Redis for each job, a little more in a group of 100,000. Cancel looks for a waiting
// job near both ends of the line only; elsewhere its id stays there, and in the
// dashboard's count, until it is passed over. Groups are swept by one of the workers, 500
// every five seconds, and all of them when first jobs are missing in a FIFO
// queue. What grows is this: the end of a job and its recovery with the number of the
// queue's jobs that run at the time, about a tenth of a millisecond for the end of the
// oldest of 10,000 (what dies with very many jobs is recovered bit by bit, so that
// leases are renewed meanwhile); a push with the [ID] of a job that was cancelled deep in
// a long line, with that line; and the dashboard's own steps (run all, delete all)
// with the number of jobs they are for, during which Redis stands still.
//
// # What is not promised
//
// A job may be run again although its handler had returned: when the worker
// dies, or is out of reach of Redis until its lease is over, before the outcome
// is written. And for that long two handlers may be at work on one job, when
// the first worker was not dead: its outcome is dropped, but not what it did.
// Handlers that must not do a thing twice have to notice by themselves; [Job]
// has an id for that. For the same reason a group may see a job begin again
// while a worker that was taken for dead still runs it, but no later one before it
// has ended.
//
// What Redis itself forgets is forgotten. With appendfsync everysec a crash of
// its machine can take the last second or two: jobs pushed in it are lost
// although Push returned their ids, and jobs that ended in it are run again.
// With appendfsync always neither happens. A fail-over to a replica loses what
// had not reached it.
//
// In and At, and the leases, go by the clock of Redis; [Job].QueuedAt by the
// pusher's. What the dashboard removes or runs in a FIFO queue is noticed
// within about five seconds, elsewhere within one; but among jobs pushed with
// [Serial] within five seconds for every 500 keys. A user of Redis who may
// not use channels (as ACL SETUSER makes them) can do everything, but nobody is
// woken: jobs and cancels are found by looking, once a second, and a cancel in the
// dashboard is not heard. A Push whose context or
// connection ended may have stored its job all the same. Jobs of one queue may
// be started by a worker in another order than they were pushed, unless it is a
// FIFO queue.
//
// # How it stands on Asynq
//
// A push encodes its task as asynq does (message.go) and stores it in one step.
// One asynq server runs the jobs of a worker. It reports to the dashboard, and
// cleans up what was kept for its time. A fetcher for each queue (fetch.go)
// asks Redis for as many jobs as have a free slot and hands them to the server;
// workstore.go, the Redis that the server sees, answers where asynq would ask
// for itself. An idle fetcher waits to be told of work, on a channel of Redis,
// and one EXISTS each second over the keys of all idle queues finds what was not
// announced. process.go runs the handler, and commit.go writes what became of
// the job, together with others that ended at the same time. The steps in Redis
// are scripts, in the directory lua. Beside Asynq's keys of a queue there are
//
//	asynq:{queue}:due             delayed and failed jobs by the ms in which they are to start
//	asynq:{queue}:fifo:<group>    the group's line, "sequence id" of each job, the first may run
//	asynq:{queue}:fifo-again:<group>  jobs that had left it and come before all but the first
//	asynq:{queue}:fifo-groups     set of the groups that have jobs
//	asynq:{queue}:fifo-unsettled  set of groups of which very many jobs were deleted
//	asynq:{queue}:fifo-seq        number of the last job
//	asynq:{queue}:dedupe:<hash>   id of the first job of a dedupe id, after 1 if it has ended, else 0
//	asynq:{queue}:lines           number of the last job of each line of Ascending
//	asynq:{queue}:push:<lane>     last push of a pusher, to recognise its repetition
//	asynq:{queue}:rate            the last starts, for Rate
//	asynq:{queue}:gone:<worker>   a worker that was taken for dead, for a day
//	asynq:{queue}:stopping:<worker>  a worker that was told to stop while jobs ran, for a day
//	asynq:{queue}:sweeper         the worker that sees to the groups
//
// and in a task's hash the fields starts, run (which worker runs it, from which
// look), ended (the last run), recoveries, fifo_group, fifo_seq, left, dedupe, wait (the
// length of its delay in ms), progress, waited and cancelled. "queuerun:{workers}:live"
// has the workers' leases for each of their queues, ":dead:<queue>" those that are over, and "queuerun:queues" is the set of queues
// that any worker has handled; with a prefix, these and the queues' names
// contain it. "queuerun:check:a" and ":b" are what the tries at the start and /readyz
// write, for a minute, whatever the prefix.
package jobs
