// Package scheduler runs functions at certain times, each tick once, however many
// processes take part.
//
//	scheduler.New("report", "every 15 minutes", report)
//	scheduler.New("cleanup", "30 3 * * *", cleanup, scheduler.Timeout(time.Hour))
//	scheduler.New("invoices", "TZ=Europe/Berlin 0 9 1 * *", invoices)
//
// # Specs
//
//	30 9 * * mon-fri    five fields: minute, hour, day of month, month, day of week
//	                    (0 or sun is Sunday), with ranges, lists and steps as in cron;
//	                    if both days are given, either will do
//	hourly              at minute 0; also daily, weekly (Sunday), monthly and yearly,
//	                    each at its beginning
//	@hourly             the same; also @daily, @midnight, @weekly, @monthly, @yearly
//	                    and @annually
//	every minute        and every second, hour and day
//	every 15 minutes    any number of seconds, minutes, hours or days
//	@every 1h30m        any number of whole seconds, as time.ParseDuration reads it
//	never               no ticks
//
// Times are in UTC. A spec that begins with "TZ=Europe/Berlin " or "CRON_TZ=..." has
// its fields in that zone, whose rules come from the machine or, if the program
// imports it, from time/tzdata. Intervals ("every", "@every") are counted from the
// beginning of 1970 in UTC, so they do not depend on when a process was started. A
// spec that is wrong, or that no date matches, keeps the program from starting.
//
// # Ticks are jobs
//
// A Scheduler waits for the next tick by the clock of Redis and pushes a job for it
// to the built-in queue "schedules". The job's id is the name and the time of the
// tick, and Redis keeps it for an hour after the run: so all Schedulers try, the
// first one succeeds, and there is no leader whose death matters. A tick is never
// pushed early.
//
// Workers with Handler run the jobs. The function's context carries the Run, and what
// it needs to push jobs and to send with socket.To; there is no current user. A run
// may take 5 minutes, or the shortest interval of the spec if that is less, unless
// Timeout says otherwise. One that fails is not retried: it stays in the queue's
// archive with its error, and the next tick follows. As with any job, a run that a
// dying worker did not finish is run again.
//
// # Missed ticks
//
// Ticks before the first look at Redis' clock are not run. A tick that could not be
// pushed because Redis was away is tried until the next one is due. A Scheduler that
// was held up, as on a machine that was suspended, pushes the newest tick that it
// missed unless that is almost an hour old; older ones are left out.
package scheduler
