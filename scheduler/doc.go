// Package scheduler runs functions at certain times, each tick once, however many
// processes take part.
//
//	scheduler.New("report", "every 15 minutes", report)
//	scheduler.New("cleanup", "30 3 * * *", cleanup, scheduler.Timeout(time.Hour))
//	scheduler.New("invoices", "TZ=Europe/Berlin 0 9 1 * *", invoices, scheduler.CatchUp(scheduler.Latest))
//
// # Specs
//
//	30 9 * * mon-fri        five fields: minute, hour, day of the month, month, day of
//	                        the week (0, 7 or sun is Sunday, also as the end of a
//	                        range), with ranges, lists and steps as in cron; if both
//	                        days are given, either will do
//	0,30 * * * * *          six fields: the second comes first
//	0 18 L * *              the last day of the month; friL or 5L as the day of the
//	                        week is the last Friday of the month
//	@hourly                 also @daily, @midnight, @weekly (Sunday), @monthly,
//	                        @quarterly, @yearly and @annually
//	every 15 minutes        any number of seconds, minutes, hours or days; also every
//	                        second, minute, hour and day
//	@every 1h30m            any number of whole seconds, as time.ParseDuration reads it
//	never                   no ticks
//
// or words, all of which have to be true of a tick:
//
//	daily at 9:30           hourly, daily, weekly, monthly, quarterly and yearly begin
//	                        with the first minute, or the time, of the first day
//	at 13:37 on fridays tuesdays and thursdays
//	at 00:00 on dec 24
//	quarterly at 9:30 on mondays
//	                        the Mondays of January, April, July and October
//	on jan feb mar only mondays tuesdays and saturdays at 9:30
//	on 13 fridays           Fridays that are the 13th
//	every monday at 9:30    the same as on mondays
//
// Small and capital letters are the same, in the names of time zones too. A step is at
// most as large as its range, so "*/90" as the minutes is refused. Times are in UTC,
// unless a spec begins with "TZ=Europe/Berlin " or "CRON_TZ=…", or ends with
// " in Europe/Berlin": the rules of that zone come from the machine or, if the program
// imports it, from time/tzdata.
//
// Where the clocks of the zone are put forward, what would be in the gap runs once, at
// its end, unless the spec has a tick within the hour before the gap or the hour after
// it, or within the length of the gap if that is more. So "30 2 * * *" runs at 3:00 on
// a day without the hour from 2:00 to 3:00, and nothing is added to "45 * * * *" or
// "30 1,2,3 * * *"; nor to "0 9 * * *" where a whole day is left out. Where the clocks
// are put back, what comes twice runs the first time only, unless the field of hours
// has a "*", "?" or a step, such as * and */2.
//
// Intervals ("every", "@every") are counted from the beginning of 1970 in UTC, so they do
// not depend on when a process was started, and have no zone. The interval of a spec is the shortest
// between its first ticks from the year 2000. A spec that is wrong, or that no date
// matches, keeps the program from starting; the error names the column. [On] takes a
// program's own times instead of a spec.
//
// # Ticks are jobs
//
// A [Scheduler] waits for the next tick by the clock of Redis and pushes a job for it
// to the built-in queue "schedules". The job's id is the name and the time of the
// tick. The same step in Redis moves the schedule's cursor, and refuses a tick that is
// not after it: so all Schedulers may try, also one that was stopped for an hour with
// a tick in its hands, and each tick is pushed once, whether its job is still
// remembered or not. There is no leader whose death matters. One of them leads, but
// that only saves work: the others give it 200 ms, and see in the cursor that it was
// done. A tick is never pushed early, and the clocks of the machines do not matter.
// Jitter makes the push later, by a time that depends on schedule and tick only.
//
// Workers with [Handler] run the jobs. The function's context carries the [Run], and
// what it needs to push jobs and to send with socket.To; there is no current user. A
// run may take 5 minutes, or the shortest interval of the spec if that is less, unless
// Timeout says otherwise. One that fails is not retried, unless Retries says so: it
// stays in the queue's archive with its error, and the next tick follows. What has
// succeeded is kept for ten intervals, at least an hour and at most a week. As with
// any job, a run that a dying worker did not finish is run again.
//
// # Overlap
//
// When a tick comes while an earlier run of the schedule is going on, its run is
// skipped: its job ends at once, with a result that says so. Overlap changes that:
// with Allow they go on side by side, and with Queue one after another in the order of
// the ticks. A run goes on as long as its job is active. That of a worker that was
// killed ceases to be when another worker recovers it, after 10 to 13 seconds; then it
// is run again.
//
// # Missed ticks
//
// A tick is missed when no Scheduler was there to push it, or Redis was away. Those
// that are seen to later fall under CatchUp, by the cursor: without it the last one is
// run, unless it is an interval or more in the past. A tick that is up to 10 seconds
// late is never left out for that, if no other came since. There is no limit to how
// long ago a missed tick may have been with Latest and All, except that the cursor is
// forgotten with its schedule. Ticks that are caught up with together run one after
// another, unless Overlap is Allow: they do not skip one another.
//
// # Schedules come and go
//
// Every Scheduler says every few seconds which schedules it has. The ticks of a new
// one are those after it was declared first, and so are those of one whose spec has
// changed since the program before: nothing of the past is run. While two versions of
// a program run side by side, the ticks of both specs are pushed, those that they
// share once, and a run that a worker does not know, because it is of the older
// version, waits for one that does, for 720 tries of 5 seconds. A change of Overlap counts for
// runs that begin after it. A tick of the older spec in the very second in which the
// newer one comes is pushed, if the older program still runs.
//
// A schedule that no process declares is gone from the dashboard after 15 seconds.
// What Redis knows of it, that it is paused included, is deleted when a Scheduler has
// seen it undeclared for an hour: so a rollback within the hour goes on where it was.
// While no Scheduler runs nothing is deleted.
//
// # Operation
//
// [Trigger] runs a schedule by hand, which is the only way for "never". [Pause] keeps
// one from being run at its ticks and [Resume] lets it run again; what came meanwhile
// is not caught up with. [List] tells the next ticks and the last run of each. The
// program's command line does the same (see package cmd), and the dashboard has a page
// of schedules. It must have a next tick of each: those that have none show one in the
// year 9999, millions of days ahead, beside a spec that is "never" or ends in
// "(paused)". Names are shown there as ids of jobs are, see [jobs.ID].
//
// A Redis that is full ("maxmemory") refuses ticks, and they are missed until it is not;
// schedules stay declared, can be paused, and runs begin and end. What fails is logged
// when it begins, once a minute while it lasts, and when it is over.
//
// # The clock of Redis
//
// It may be set while Schedulers run; each tells so in the log, by comparing it with the
// time that has passed for itself. When it is set forward the ticks that it jumps over
// are missed ones. When it is set back the ticks that lie ahead again and have been
// pushed are not pushed a second time. Those that were left out as missed are pushed
// when their time comes: after an hour of error for some seconds the schedules go on as
// before. No other time that lies ahead of Redis' clock is believed.
//
// # What is not promised
//
// If Redis loses what it had acknowledged, in a fail-over or a crash, it may lose
// pushed ticks, or the cursor together with them. A Scheduler that was running
// remembers what it has seen to, does not repeat it, and goes on after it; if Redis'
// clock goes back by more than 10 seconds at the same time it believes Redis. A run may
// begin late when workers are busy or away: CatchUp is about pushing, and Overlap
// decides when it begins.
//
// In Redis, "queuerun:{schedules}:names" is the set of the schedules, and
// "queuerun:{schedules}:schedule:<name>" has one: v, spec, overlap, from (only ticks
// after it are pushed), of (the spec that this is about), declared, paused, ticks (the
// next ones of a schedule of On), skipped (between these two ticks none was pushed) and
// ahead (these were, while Redis' clock was ahead). The cursor is the line of that name in
// "asynq:{schedules}:lines". "queuerun:{schedules}:runs" has the job that is going on
// and ":last" how the last one ended, by name, and ":leader" names the Scheduler that
// leads. With a prefix the braces have "prefix:schedules".
package scheduler
